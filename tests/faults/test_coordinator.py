"""19 to 27 and 64: signals to a run and to a worker in a long call, and a clock that is wrong."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from nas.runs.run import run
from tests.nas.runs.experiments import STRATEGIES, Make, facts

ROOT = Path(__file__).parents[2]


@pytest.mark.fault(26)
def test_a_clock_that_is_a_day_off_changes_nothing(
    tiny: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment = tiny(strategy=STRATEGIES["evolution"], trials=6)
    whole = run(experiment, tmp_path / "a").evaluations
    run(tiny(strategy=STRATEGIES["evolution"], trials=3), tmp_path / "b", minutes=10.0)
    now = time.time
    for days in (-1, 1):
        monkeypatch.setattr(time, "time", lambda days=days: now() + 86400 * days)
        found = run(experiment, tmp_path / "b", trial_minutes=10.0, minutes=10.0)
    assert facts(found.evaluations) == facts(whole)


SCRIPT = """
from nas.cli.main import run_script
from nas.experiment import Experiment
from tests.faults.candidates import harmful

def search() -> Experiment:
    return harmful("long call, told")

if __name__ == "__main__":
    run_script(search)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("numbers", "status"),
    [
        pytest.param([signal.SIGTERM], 143, marks=pytest.mark.fault(20, 64)),
        pytest.param([signal.SIGINT, signal.SIGINT], 130, marks=pytest.mark.fault(19, 64)),
    ],
)
def test_signals_end_a_run_whose_worker_is_in_a_long_call(
    numbers: Sequence[signal.Signals], status: int, tmp_path: Path
) -> None:
    (tmp_path / "search.py").write_text(SCRIPT)
    # A shell has what it puts into the background ignore interrupts.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(
        [sys.executable, "search.py", "--out", "out", "--workers", "1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    signal.signal(signal.SIGINT, before)
    while process.poll() is None and not (tmp_path / "begun").exists():
        time.sleep(0.05)
    for number in numbers:
        process.send_signal(number)
        time.sleep(0.01)
    # The pipe ends when no process is left that has it.
    said, _ = process.communicate(timeout=60)
    assert process.returncode == status
    assert said.endswith(b"the same command resumes\n")
