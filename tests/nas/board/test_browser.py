"""TensorBoard in a browser, where there is one: what its pages draw of our logs."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.nas.board.browser import CHROMIUM, opened_browser
from tests.nas.board.searches import RUN, Controller, log
from tests.nas.board.test_served import ALL, asked, board_of, eventually

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium, as Debian's package has it"),
]

TRIALS = 9


def test_the_pages_show_curves_pictures_and_every_trial(tmp_path: Path) -> None:
    designs = [{"op": "conv", "width": 8}, {"op": "skip", "dilation": 2}]
    run = [replace(RUN[0], id=id, design=designs[id % 2]) for id in range(TRIALS)]
    log(tmp_path / "tb", run, strategy=Controller())
    with board_of(tmp_path) as url, opened_browser(tmp_path / "profile") as page:
        eventually(
            lambda: asked(url + "data/plugin/hparams/session_groups", ALL),
            lambda found: found.get("totalSize") == TRIALS,
        )
        page.open(url + "#custom_scalars")
        page.wait_for("hypervolume", "share over the budget")
        page.wait_until(
            "elements(document).filter(e => e.tagName === 'VZ-LINE-CHART2').length >= 4"
        )
        page.open(url + "#images")
        page.wait_for("pareto", "choices")
        drawn = "elements(document).filter(e => e.tagName === 'IMG' && e.naturalWidth > 300).length"
        page.wait_until(f"{drawn} >= 2")
        page.open(url + "#timeseries")
        page.wait_for("best_by_second", "/accuracy")  # the group is the heading
        page.wait_until("elements(document).filter(e => e.tagName === 'LINE-CHART').length >= 1")
        page.open(url + "#hparams")
        page.wait_for("op", "width", "dilation", "metric/accuracy", f"trials/{TRIALS - 1:05d}")
