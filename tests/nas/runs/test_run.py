from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nas.data import Split, Task
from nas.objective import Status
from nas.packed import unpack
from nas.program import score
from nas.runs.directory import read_test_score
from nas.runs.journal import read_journal
from nas.runs.run import SearchStoppedError, run
from nas.space import Choices
from nas.training.fit import accuracy
from tests.nas.board.searches import events
from tests.nas.runs.experiments import STRATEGIES, Make, facts


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
    assert read_test_score(tmp_path) == (found.best.id, found.test_accuracy)
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
    model, validation = found.model(), tiny_task.validation
    assert found.best is not None
    assert accuracy(model, validation) == found.best.metrics["accuracy_fake_quant"]
    times = [each.finished for each in read_journal(tmp_path)[1]]
    assert None not in times
    assert times == sorted(times, key=float)  # type: ignore[arg-type]
    board = events(tmp_path / "tb" / "search").Tags()
    assert board["images"] == ["pareto"]
    assert board["graph"]
    assert {tag.split("/")[0] for tag in board["histograms"]} == {"weights", "activations"}


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


@pytest.mark.fault(38)
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


@pytest.mark.fault(14)
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
