from pathlib import Path

import pytest

from nas.executors import LocalProcesses
from nas.objective import Status
from nas.runs.directory import RunDirectoryError
from nas.runs.run import run
from nas.runs.supernet import SUPERNET_FILE, trained_weights
from nas.strategy import Facts
from nas.training.supernet import Supernet
from tests.nas.evaluation.trained_spaces import trained_space
from tests.nas.runs.experiments import Make, facts

SUPERNET = Supernet(epochs=2, networks=3, designs=4)


def test_a_supernet_is_trained_once_and_candidates_start_from_it(
    tiny: Make, tmp_path: Path
) -> None:
    experiment = tiny({"size_bytes": 200.0}, supernet=SUPERNET)
    first = run(experiment, tmp_path / "a")
    path = tmp_path / "a" / SUPERNET_FILE
    weights, written = path.read_bytes(), path.stat().st_mtime_ns
    more = run(tiny({"size_bytes": 200.0}, supernet=SUPERNET, trials=8), tmp_path / "a")
    assert path.stat().st_mtime_ns == written
    whole = run(tiny({"size_bytes": 200.0}, supernet=SUPERNET, trials=8), tmp_path / "b")
    assert (tmp_path / "b" / SUPERNET_FILE).read_bytes() == weights
    assert facts(more.evaluations) == facts(whole.evaluations)
    assert facts(more.evaluations)[: len(first.evaluations)] == facts(first.evaluations)

    alone = run(tiny({"size_bytes": 200.0}), tmp_path / "c").evaluations
    trials = [
        (one, other) for one, other in zip(first.evaluations, alone, strict=False) if one.history
    ]
    assert trials
    for one, other in trials:
        assert one.genotype == other.genotype
        assert one.history[0].loss != other.history[0].loss


@pytest.mark.parametrize(
    "damage", [lambda _: b"", lambda data: data[:-9], lambda data: b"x" + data]
)
def test_a_damaged_file_is_made_again(tiny: Make, tmp_path: Path, damage: object) -> None:
    assert callable(damage)
    run(tiny(supernet=SUPERNET, trials=1), tmp_path)
    path = tmp_path / SUPERNET_FILE
    weights = path.read_bytes()
    path.write_bytes(damage(weights))
    run(tiny(supernet=SUPERNET, trials=2), tmp_path)
    assert path.read_bytes() == weights


def test_what_a_lost_file_of_the_best_candidate_is_made_from(tiny: Make, tmp_path: Path) -> None:
    """The test accuracy is that of the file, which training gives again only from the same weights."""
    found = run(tiny(supernet=SUPERNET), tmp_path)
    assert found.best is not None
    path = tmp_path / "packed" / f"{found.best.id:05d}.nas"
    packed = path.read_bytes()
    path.unlink()
    (tmp_path / "test.json").unlink()
    assert run(tiny(supernet=SUPERNET), tmp_path).test_accuracy == found.test_accuracy
    assert path.read_bytes() == packed


def test_the_header_says_the_settings_and_nothing_without_a_supernet(
    tiny: Make, tmp_path: Path
) -> None:
    assert "supernet" not in tiny().describe()
    assert tiny(supernet=SUPERNET).describe()["supernet"] == {
        "name": "Supernet",
        "epochs": 2,
        "lr": None,
        "networks": 3,
        "designs": 4,
    }
    run(tiny(trials=1), tmp_path)
    assert not (tmp_path / SUPERNET_FILE).exists()
    with pytest.raises(RunDirectoryError, match="supernet"):
        run(tiny(trials=1, supernet=SUPERNET), tmp_path)


def test_weights_follow_from_the_seed_of_the_run(tiny: Make) -> None:
    def weights(seed: int) -> list[list[float]]:
        experiment = tiny(supernet=SUPERNET, seed=seed)
        shared = trained_weights(experiment, lambda _: Facts({"params": 1.0}, 0.0))
        return [each.flatten().tolist() for each in shared.tensors.values()]

    assert weights(0) == weights(0) != weights(1)


def test_trainings_after_the_search_start_from_nothing(tiny: Make, tmp_path: Path) -> None:
    pair = {
        name: run(tiny(supernet=supernet, retrain=6), tmp_path / name).retrained
        for name, supernet in (("a", SUPERNET), ("b", None))
    }
    assert [each.status for each in pair["a"]] == [Status.OK] * 6
    assert facts(pair["a"]) == facts(pair["b"])


def test_networks_that_come_trained_need_no_supernet(tiny: Make) -> None:
    task = tiny().task
    with pytest.raises(
        ValueError, match=r"come trained start from their own weights, .* but got Sup"
    ):
        tiny(space=trained_space(task), supernet=SUPERNET)


@pytest.mark.slow
def test_the_journal_is_the_same_with_workers(tiny: Make, tmp_path: Path) -> None:
    experiment = tiny(supernet=SUPERNET)
    here = run(experiment, tmp_path / "a")
    there = run(experiment, tmp_path / "b", executor=LocalProcesses(2))
    assert facts(there.evaluations) == facts(here.evaluations)
    for path in (tmp_path / "a" / "packed").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / "packed" / path.name).read_bytes()
