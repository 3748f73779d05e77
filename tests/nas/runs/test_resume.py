import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from nas.objective import Evaluation
from nas.runs.directory import RunDirectoryError
from nas.runs.journal import read_journal
from nas.runs.run import run
from nas.space import Choices
from strategies.random_search import RandomSearch
from tests.nas.runs.experiments import STRATEGIES, Make, facts


def test_more_trials_continue_a_finished_run(tiny: Make, tmp_path: Path) -> None:
    limits = {"size_bytes": 160.0}
    run(tiny(limits, trials=3), tmp_path / "a")
    before = (tmp_path / "a" / "journal.jsonl").read_bytes()
    longer = run(tiny(limits, trials=9), tmp_path / "a").evaluations
    assert (tmp_path / "a" / "journal.jsonl").read_bytes().startswith(before)
    assert facts(longer) == facts(run(tiny(limits, trials=9), tmp_path / "b").evaluations)


@pytest.mark.parametrize("window", [1, 4])
def test_a_run_interrupted_anywhere_resumes_to_the_same_journal(
    tiny: Make, tmp_path: Path, window: int
) -> None:
    experiment = tiny(
        {"size_bytes": 160.0}, strategy=STRATEGIES["evolution"], trials=12, window=window
    )
    reference = run(experiment, tmp_path / "whole").evaluations

    def stop(seen: Sequence[Evaluation], at: int) -> None:
        if len(seen) == at:
            raise KeyboardInterrupt

    for at in range(1, len(reference), 3):
        with pytest.raises(KeyboardInterrupt):
            run(experiment, tmp_path / "parts", partial(stop, at=at))
    resumed = run(experiment, tmp_path / "parts")
    assert facts(resumed.evaluations) == facts(reference)
    assert facts(read_journal(tmp_path / "parts")[1]) == facts(reference)


@pytest.mark.fault(16)
@pytest.mark.slow
def test_a_run_killed_at_random_moments_ends_like_one_that_was_not(tmp_path: Path) -> None:
    script = tmp_path / "killed.py"
    script.write_text(
        textwrap.dedent("""
        from dataclasses import replace
        from experiments.digits import digits
        from experiments.options import SearchOptions
        from nas.cli.main import run_script
        from nas.experiment import Experiment
        from nas.training.fit import Recipe

        def killed(seed: int = 0) -> Experiment:
            return digits(SearchOptions(trials=10, size_bytes=3000, seed=seed, epochs=1, finetune_epochs=1), "mlp")

        if __name__ == "__main__":
            run_script(killed)
        """)
    )

    def start(out: str, *options: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, str(script), "--out", str(tmp_path / out), *options]
        return subprocess.Popen(
            command, stdout=subprocess.DEVNULL, env={**os.environ, "PYTHONPATH": str(Path.cwd())}
        )

    def lines(out: str) -> int:
        journal = tmp_path / out / "journal.jsonl"
        return journal.read_bytes().count(b"\n") if journal.exists() else 0

    assert start("whole", "--executor", "in-process").wait() == 0
    for acknowledged, workers in ((3, "2"), (8, "4")):
        process = start("killed", "--workers", workers)
        while lines("killed") < acknowledged and process.poll() is None:
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        assert lines("killed") >= acknowledged
    assert start("killed", "--workers", "1").wait() == 0
    assert facts(read_journal(tmp_path / "killed")[1]) == facts(read_journal(tmp_path / "whole")[1])


@pytest.mark.fault(40)
def test_another_experiment_in_the_same_directory_is_refused_with_the_difference(
    tiny: Make, tmp_path: Path
) -> None:
    run(tiny(trials=1), tmp_path)
    with pytest.raises(RunDirectoryError, match="seed was 0 and is 5"):
        run(tiny(trials=1, seed=5), tmp_path)
    with pytest.raises(
        RunDirectoryError, match=r"objective\.budget\.limits\.macs was None and is 9"
    ):
        run(tiny({"macs": 9.0}, trials=1), tmp_path)


def test_a_strategy_that_no_longer_proposes_what_the_journal_holds_is_refused(
    tiny: Make, tmp_path: Path
) -> None:
    class Versioned(RandomSearch):
        skipped = 0

        def __init__(self, choices: Choices, rng: np.random.Generator) -> None:
            super().__init__(choices, rng)
            for _ in range(self.skipped):
                self.ask()

    run(tiny(strategy=Versioned), tmp_path)
    Versioned.skipped = 1
    with pytest.raises(RunDirectoryError, match="resume it with the software that began it"):
        run(tiny(strategy=Versioned), tmp_path)
