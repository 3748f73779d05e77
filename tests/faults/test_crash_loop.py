"""A search with workers that is killed again and again; `make faults` asks for 500 kills."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.crashes.search import BAD

ROOT = Path(__file__).parents[2]
KILLS = int(os.environ.get("FAULTS_KILLS", "50"))


def crashed(*arguments: str) -> dict[str, object]:
    # In a process of its own, because it forks, and pytest may have threads.
    command = [sys.executable, "-m", "tests.faults.crashes.loop", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, object] = json.loads(done.stdout)
    return found


@pytest.mark.fault(16, 17, 18, 22, 23, 27)
@pytest.mark.slow
def test_a_search_that_is_killed_loses_nothing_and_ends_the_same() -> None:
    found = crashed(str(KILLS))
    assert found["wrong"] == ""
    assert found["kills"] == KILLS


@pytest.mark.fault(16, 17)
@pytest.mark.slow
@pytest.mark.parametrize("bad", BAD)
def test_journals_that_break_their_promise_are_caught(bad: str) -> None:
    assert "lost" in str(crashed("50", bad)["wrong"])
