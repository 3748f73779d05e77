import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nas.data import Split, Task
from nas.experiment import Experiment
from nas.objective import Curve, Evaluation, Status
from nas.packed import unpack
from nas.program import score
from nas.runs.directory import RunDirectoryError
from nas.runs.journal import read_journal
from nas.runs.run import SearchStoppedError, run
from nas.space import Choices
from nas.strategy import Proposal, Strategy
from nas.training.distil import Hint, Teacher
from nas.training.recipe import Recipe
from nas.training.stopping import MedianStop
from strategies.evolutionary.aging import AgingEvolution
from strategies.evolutionary.nsga2 import Nsga2
from strategies.random_search import RandomSearch
from strategies.reinforcement.reinforce import Reinforce

Make = Callable[..., Experiment]

STRATEGIES: dict[str, Callable[[Choices, np.random.Generator], Strategy]] = {
    "random": RandomSearch,
    "evolution": partial(AgingEvolution, population=4, sample=2),
    "nsga2": partial(Nsga2, population=4),
    "reinforce": partial(Reinforce, batch=4),
}


def facts(evaluations: Sequence[Evaluation]) -> list[Any]:
    """All but the times."""
    return [(e.id, e.genotype, e.status, e.reason, e.metrics, e.history) for e in evaluations]


@pytest.mark.parametrize("name", STRATEGIES)
def test_the_same_seed_gives_the_same_search_and_another_seed_another(
    tiny: Make, tmp_path: Path, name: str
) -> None:
    first, again, other = (
        run(tiny(strategy=STRATEGIES[name], trials=8, seed=seed), tmp_path / out).evaluations
        for seed, out in ((1, "a"), (1, "b"), (2, "c"))
    )
    assert facts(first) == facts(again)
    assert [e.genotype for e in first] != [e.genotype for e in other]


def test_a_run_finds_a_network_and_scores_it_on_test_data(tiny: Make, tmp_path: Path) -> None:
    found = run(tiny(), tmp_path)
    assert [e.id for e in found.evaluations] == list(range(6))
    assert found.best is not None
    assert found.best.metrics["accuracy"] == max(e.metrics["accuracy"] for e in found.evaluations)
    assert found.test_accuracy is not None
    assert json.loads((tmp_path / "test.json").read_text()) == {
        "id": found.best.id,
        "accuracy": found.test_accuracy,
    }
    assert {path.name for path in (tmp_path / "weights").iterdir()} == {
        f"{e.id:05d}.npz" for e in found.evaluations
    }
    assert {path.name for path in (tmp_path / "packed").iterdir()} == {
        f"{e.id:05d}.nas" for e in found.evaluations
    }


def test_the_packed_files_have_the_size_and_the_accuracies_that_were_recorded(
    tiny: Make, tiny_task: Task, tmp_path: Path
) -> None:
    found = run(tiny(), tmp_path)
    for evaluation in found.evaluations:
        packed = (tmp_path / "packed" / f"{evaluation.id:05d}.nas").read_bytes()
        assert len(packed) == evaluation.metrics["size_bytes"]
        assert score(unpack(packed), tiny_task.validation) == evaluation.metrics["accuracy"]
        if evaluation == found.best:
            assert score(unpack(packed), tiny_task.test) == found.test_accuracy


def test_test_data_does_not_guide_the_search(tiny: Make, tiny_task: Task, tmp_path: Path) -> None:
    shuffled = Split(tiny_task.test.inputs, tiny_task.test.labels.roll(1))
    other = Task(
        name=tiny_task.name,
        train=tiny_task.train,
        validation=tiny_task.validation,
        test=shuffled,
        classes=tiny_task.classes,
    )
    first, second = run(tiny(), tmp_path / "a"), run(tiny(task=other), tmp_path / "b")
    assert facts(first.evaluations) == facts(second.evaluations)
    assert first.test_accuracy != second.test_accuracy


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


def test_a_run_killed_at_random_moments_ends_like_one_that_was_not(tmp_path: Path) -> None:
    script = tmp_path / "killed.py"
    script.write_text(
        textwrap.dedent("""
        from dataclasses import replace
        from experiments.digits import digits
        from nas.cli.main import run_script
        from nas.experiment import Experiment
        from nas.training.fit import Recipe

        def killed(seed: int = 0) -> Experiment:
            return replace(digits("evolution", "mlp", 10, size_bytes=3000, seed=seed), recipe=Recipe(epochs=1, finetune_epochs=1))

        if __name__ == "__main__":
            run_script(killed)
        """)
    )

    def start(out: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, str(script), "--out", str(tmp_path / out)]
        return subprocess.Popen(
            command, stdout=subprocess.DEVNULL, env={**os.environ, "PYTHONPATH": str(Path.cwd())}
        )

    def lines(out: str) -> int:
        journal = tmp_path / out / "journal.jsonl"
        return journal.read_bytes().count(b"\n") if journal.exists() else 0

    assert start("whole").wait() == 0
    for acknowledged in (3, 8):
        process = start("killed")
        while lines("killed") < acknowledged and process.poll() is None:
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        assert lines("killed") >= acknowledged
    assert start("killed").wait() == 0
    assert facts(read_journal(tmp_path / "killed")[1]) == facts(read_journal(tmp_path / "whole")[1])


@pytest.mark.parametrize("window", [1, 4])
def test_a_candidate_is_stopped_by_what_is_known_before_it_starts_also_after_a_restart(
    tiny: Make, tmp_path: Path, window: int
) -> None:
    shown: dict[int, Sequence[Curve]] = {}

    def rule(reached: Curve, earlier: Sequence[Curve]) -> bool:
        shown.setdefault(len(shown) if not reached else len(shown) - 1, tuple(earlier))
        return MedianStop(epochs=1, curves=2)(reached, earlier)

    recipe = Recipe(epochs=2, finetune_epochs=2, batch_size=10, lr=0.03, finetune_lr=0.03)
    experiment = tiny(
        stop=rule, recipe=recipe, trials=10, window=window, strategy=STRATEGIES["evolution"]
    )
    reference = run(experiment, tmp_path / "whole").evaluations
    stopped = [e.id for e in reference if e.status is Status.STOPPED]
    assert stopped
    assert len(reference) == 10, "a stopped candidate is a trial"
    assert all(e.history and "accuracy" not in e.metrics for e in reference if e.id in stopped)
    histories = [e.history for e in reference]
    assert shown == {e.id: tuple(histories[: max(0, e.id + 1 - window)]) for e in reference}

    def interrupt(seen: Sequence[Evaluation]) -> None:
        if len(seen) == stopped[0] + 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(experiment, tmp_path / "parts", interrupt)
    assert facts(run(experiment, tmp_path / "parts").evaluations) == facts(reference)


def test_a_candidate_is_compared_with_candidates_of_as_many_epochs(
    tiny: Make, tmp_path: Path
) -> None:
    class Alternating(RandomSearch):
        asked = 0

        def ask(self) -> Proposal:
            self.asked += 1
            return Proposal(super().ask().genotype, (2.0, None, 3.0)[self.asked % 3])

    shown: list[tuple[int, int]] = []

    def rule(reached: Curve, earlier: Sequence[Curve]) -> bool:
        shown.extend((len(reached), len(curve)) for curve in earlier)
        return False

    recipe = Recipe(epochs=2, finetune_epochs=2, batch_size=10)
    found = run(tiny(stop=rule, recipe=recipe, trials=7, strategy=Alternating), tmp_path)
    lengths = {2.0: 2, None: 4, 3.0: 3}
    assert [len(e.history) for e in found.evaluations] == [
        lengths[e.epochs] for e in found.evaluations
    ]
    assert set(shown) == {(reached, whole) for whole in (2, 3, 4) for reached in range(whole)}
    assert found.best is not None
    assert found.best.epochs is None


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


@pytest.mark.parametrize("damage", ["cut", "changed", "missing"])
def test_a_damaged_packed_file_is_made_again_with_the_same_accuracy(
    tiny: Make, tmp_path: Path, damage: str
) -> None:
    found = run(tiny(), tmp_path)
    assert found.best is not None
    (tmp_path / "test.json").unlink()
    packed, weights = (
        tmp_path / "packed" / f"{found.best.id:05d}.nas",
        tmp_path / "weights" / f"{found.best.id:05d}.npz",
    )
    whole, trained = packed.read_bytes(), weights.read_bytes()
    if damage == "missing":
        packed.unlink()
    else:
        packed.write_bytes(
            whole[:40] if damage == "cut" else whole[:40] + bytes([whole[40] ^ 1]) + whole[41:]
        )
    weights.write_bytes(trained[:100])
    assert run(tiny(), tmp_path).test_accuracy == found.test_accuracy
    assert packed.read_bytes() == whole
    assert len(weights.read_bytes()) == len(trained)


def test_what_is_over_budget_is_never_trained_and_uses_no_trial(tiny: Make, tmp_path: Path) -> None:
    evaluations = run(tiny({"size_bytes": 160.0}, trials=4), tmp_path).evaluations
    over = [e for e in evaluations if e.status is Status.OVER_BUDGET]
    trained = [e for e in evaluations if e.status is Status.OK]
    assert over
    assert len(trained) == 4
    assert all(
        e.metrics["size_bytes"] > 160 and not e.history and "accuracy" not in e.metrics
        for e in over
    )
    assert all(e.metrics["size_bytes"] <= 160 for e in trained)


def test_a_budget_that_nothing_meets_ends_without_a_best(tiny: Make, tmp_path: Path) -> None:
    found = run(tiny({"size_bytes": 10.0}, patience=50), tmp_path)
    assert found.best is None
    assert found.test_accuracy is None
    assert {e.status for e in found.evaluations} == {Status.OVER_BUDGET}


def test_candidates_that_all_fail_stop_the_search_with_their_reasons(
    tiny: Make, tmp_path: Path
) -> None:
    class Broken:
        choices = Choices(tiny().space.choices)

        def build(self, design: Any, example: Tensor, classes: int) -> nn.Module:
            list(design.values())
            return nn.Sequential(nn.Flatten(), nn.Linear(5, classes))

    with pytest.raises(
        SearchStoppedError,
        match=r"10 times ValueError: a site must name a module .* but got .head.",
    ):
        run(tiny(space=Broken(), trials=50), tmp_path)
    assert [e.status for e in read_journal(tmp_path)[1]] == [Status.FAILED] * 10


def test_a_teacher_is_trained_once_and_heeded(tiny: Make, tmp_path: Path) -> None:
    built = []

    def build(example: Tensor, classes: int) -> nn.Module:
        built.append(classes)
        return nn.Sequential(nn.Flatten(), nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, classes))

    taught = tiny(teacher=Teacher(build=build, epochs=3))
    first = run(taught, tmp_path / "a")
    (path,) = (tmp_path / "a").glob("teacher-*.npz")
    weights = path.read_bytes()
    assert facts(run(taught, tmp_path / "a").evaluations) == facts(first.evaluations)
    assert path.read_bytes() == weights
    assert built == [3, 3]
    alone = run(tiny(), tmp_path / "b").evaluations
    assert [e.genotype for e in first.evaluations] == [e.genotype for e in alone]
    assert [e.history for e in first.evaluations] != [e.history for e in alone]


def hidden(example: Tensor, classes: int) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, classes))


def test_a_teacher_is_named_by_what_it_is_made_from(tiny: Make, tmp_path: Path) -> None:
    names = set()
    for number, (epochs, seed) in enumerate(((2, 0), (3, 0), (2, 1), (2, 0))):
        out = tmp_path / str(number)
        run(tiny(teacher=Teacher(build=hidden, epochs=epochs), seed=seed, trials=1), out)
        (path,) = out.glob("teacher-*.npz")
        names.add(path.name)
    assert len(names) == 3


def test_a_given_teacher_is_not_trained(tiny: Make, tmp_path: Path) -> None:
    taught = run(tiny(teacher=Teacher(build=hidden, epochs=3), trials=2), tmp_path / "a")
    (trained,) = (tmp_path / "a").glob("teacher-*.npz")
    loaded = run(
        tiny(teacher=Teacher(build=hidden, epochs=0, weights=trained), trials=2), tmp_path / "b"
    )
    untaught = run(tiny(teacher=Teacher(build=hidden, epochs=0), trials=2), tmp_path / "c")
    assert [e.history for e in loaded.evaluations] == [e.history for e in taught.evaluations]
    assert [e.history for e in loaded.evaluations] != [e.history for e in untaught.evaluations]
    assert not [*(tmp_path / "b").glob("teacher-*"), *(tmp_path / "c").glob("teacher-*")]
    trained.write_bytes(trained.read_bytes()[:-40])
    with pytest.raises(RunDirectoryError, match="teacher"):
        run(
            tiny(teacher=Teacher(build=hidden, epochs=0, weights=trained), trials=2), tmp_path / "b"
        )
    with pytest.raises(
        ValueError,
        match="must hold the teacher's weights, but is missing, damaged or of another network",
    ):
        run(
            tiny(teacher=Teacher(build=hidden, epochs=0, weights=trained), trials=2), tmp_path / "d"
        )


def test_hints_reach_the_candidates(tiny: Make, tmp_path: Path) -> None:
    def shallow(example: Tensor, classes: int) -> nn.Module:
        return nn.Sequential(nn.Flatten(), nn.Linear(16, classes))

    plain, hinted = (
        run(
            tiny(teacher=Teacher(build=shallow, epochs=2, hints=hints), trials=2),
            tmp_path / str(len(hints)),
        ).evaluations
        for hints in ((), (Hint("head", "1", 5.0),))
    )
    assert [e.status for e in hinted] == [Status.OK, Status.OK]
    assert [e.history for e in plain] != [e.history for e in hinted]


def test_running_leaves_the_process_as_it_was(tiny: Make, tmp_path: Path) -> None:
    torch.manual_seed(3)
    threads, state, legacy = (
        torch.get_num_threads(),
        torch.get_rng_state(),
        repr(np.random.get_state()),  # noqa: NPY002
    )
    run(tiny(strategy=STRATEGIES["reinforce"]), tmp_path)
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.get_rng_state(), state)
    assert repr(np.random.get_state()) == legacy  # noqa: NPY002
