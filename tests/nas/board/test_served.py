"""What TensorBoard itself serves to a browser of our logs."""

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.nas.board.searches import RUN, Controller, log
from tests.nas.cli.commands import ROOT

pytestmark = pytest.mark.slow

ALL = {
    "experimentName": "",
    "allowedStatuses": ["STATUS_SUCCESS", "STATUS_UNKNOWN", "STATUS_RUNNING", "STATUS_FAILURE"],
    "colParams": [],
    "startIndex": 0,
    "sliceSize": 100,
}


def asked(url: str, data: Mapping[str, Any] | None = None) -> Any:
    body = None if data is None else json.dumps(data).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.loads(answer.read())


def eventually(ask: Callable[[], Any], is_there: Callable[[Any], bool]) -> Any:
    """The answer once TensorBoard has read the logs."""
    for _ in range(120):
        if is_there(found := ask()):
            return found
        time.sleep(0.5)
    raise AssertionError(f"TensorBoard must read the logs, but serves {found}")


def test_every_trial_is_complete_and_the_pages_have_content(tmp_path: Path) -> None:
    designs = [{"op": "conv", "width": 8}, {"op": "skip", "dilation": 2}]
    run = [replace(RUN[0], id=id, design=designs[id % 2]) for id in range(9)]
    log(tmp_path / "tb", run, strategy=Controller())
    with board_of(tmp_path) as url:
        check_pages(url + "data/plugin/", len(run))


@contextmanager
def board_of(out: Path) -> Iterator[str]:
    """The URL of `nas board`, in a process of its own."""
    command = [sys.executable, "-m", "nas", "board", str(out)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as board:
        assert board.stdout is not None
        try:
            yield board.stdout.readline().split()[0]
        finally:
            board.terminate()


def check_pages(plugins: str, trials: int) -> None:
    groups = eventually(
        lambda: asked(plugins + "hparams/session_groups", ALL),
        lambda found: found.get("totalSize") == trials,
    )
    columns = [{*group["hparams"]} for group in groups["sessionGroups"]]
    assert all(each == columns[0] for each in columns)
    assert {"op", "width", "dilation"} <= columns[0]
    layout = asked(plugins + "custom_scalars/layout")
    assert [category["title"] for category in layout["category"]] == ["search", "costs"]
    assert {*asked(plugins + "images/tags")["search"]} == {"pareto", "choices"}
    assert "best/accuracy" in asked(plugins + "scalars/tags")["search"]
