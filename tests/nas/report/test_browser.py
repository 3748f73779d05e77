"""The page in a browser, where there is one: pictures are drawn."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from nas.objective import Status, best
from nas.report import write_report
from nas.runs.confusion import CONFUSION_FILE
from tests.nas.report.runs import HOSTILE, OBJECTIVE, add_file, search, trial, write

CHROMIUM = (
    shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium, as Debian's package has it"),
]


def dom(page: Path, profile: Path, *options: str) -> str:
    """The page as it is after its scripts ran, without a network."""
    assert CHROMIUM is not None
    # Its sandbox cannot be used by root, as tests in containers are.
    flags = ("--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}", *options)
    command = [CHROMIUM, *flags, "--dump-dom", page.as_uri()]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout


def test_every_picture_has_marks(tmp_path: Path) -> None:
    hostile = trial(40, accuracy=0.75, design={HOSTILE: HOSTILE, "op": HOSTILE})
    evaluations = [*search(40), hostile]
    runs = [write(tmp_path / name, evaluations) for name in "ab"]
    leader = best(evaluations, OBJECTIVE)
    assert leader is not None
    add_file(runs[0], leader.id)
    counts = {"id": leader.id, "counts": [[5, 1, 0], [2, 4, 0], [0, 0, 6]]}
    (runs[0] / CONFUSION_FILE).write_text(json.dumps(counts))
    write_report(runs, tmp_path / "page.html")
    for size in ("1200,900", "400,800"):
        shown = dom(tmp_path / "page.html", tmp_path / "profile", f"--window-size={size}")
        pictures = shown.split('data-chart="')[1:]
        assert len(pictures) == 9
        for picture in pictures:
            marks = picture.split("<details")[0]
            drawn = sum(marks.count(mark) for mark in ("<circle", "<path", "<rect"))
            assert "<svg" in marks
            assert drawn >= 9
        trained = sum(each.status is Status.OK for each in evaluations)
        assert pictures[1].split("<details")[0].count("<circle") >= trained
        assert "<script>alert" not in shown
