from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_model

from benchmarks.joint_compression import joint as joint_points
from benchmarks.joint_compression import row, uniform
from compressors.allocation import allocate as allocation
from compressors.joint import JOINT_COMPRESSORS
from experiments.compression import DEFAULTS, compression, residual_network, trained
from nas.compress import compress, settings_of
from nas.data import digits
from nas.evaluation.evaluator import Evaluator
from nas.experiment import Experiment
from nas.objective import Status
from nas.runs.run import run
from nas.seeds import generator, seeded
from nas.strategy import Proposal
from nas.testing.space import check_space
from nas.training import checkpoint as weights
from nas.training.fit import accuracy, cross_entropy
from nas.training.given_network import load_network
from search_spaces.trained_network import TrainedNetwork

TASK = digits(generator(0, "digits"))


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of the weights of a network of eight channels after a few epochs."""
    path = tmp_path_factory.mktemp("weights") / "trained.npz"
    weights.save(trained(TASK, 8, 10, None, 0), path)
    return path


def asked(**stated: Any) -> Experiment:
    """The experiment with options as they are typed."""
    shared = {field.name for field in fields(DEFAULTS)} & stated.keys()
    own = {name: stated[name] for name in stated if name not in shared}
    return compression(replace(DEFAULTS, **{name: stated[name] for name in shared}), **own)


def small(file: Path, **options: Any) -> Any:
    settings: Any = {
        "width": 8,
        "weights": file,
        "finetune_epochs": 1,
        "size_bytes": 1800,
        "trials": 3,
        "teacher": False,
        "warm_start": False,
    }
    return asked(**(settings | options))


def test_a_search_ends_within_its_budget(file: Path, tmp_path: Path) -> None:
    found = run(small(file), tmp_path)
    assert [e.status for e in found.evaluations].count(Status.OK) == 3
    assert {e.status for e in found.evaluations} <= {Status.OK, Status.OVER_BUDGET}
    assert found.best is not None
    assert found.best.metrics["size_bytes"] <= 1800


def test_the_first_samples_are_of_the_same_task(file: Path) -> None:
    experiment, task = small(file, samples=100), small(file).task
    assert experiment.task.digest == task.digest
    assert len(experiment.search_task.train.labels) == 100


def test_a_candidate_starts_from_the_trained_weights(file: Path) -> None:
    experiment = small(file, size_bytes=100_000)
    genes = [
        choice.options.index(8) if choice.kind == "bits" else 0
        for choice in experiment.space.choices
    ]
    evaluation, _ = experiment.evaluator(cross_entropy)(0, Proposal(tuple(genes)))
    assert evaluation.metrics["accuracy"] > 0.85
    assert len(evaluation.history) == 1


@pytest.mark.slow
def test_no_design_fails_and_none_costs_other_than_was_counted(file: Path) -> None:
    experiment = small(file)
    check_space(
        experiment.space, TASK.train.inputs[:4], 10, np.random.default_rng(0), JOINT_COMPRESSORS
    )
    evaluator: Evaluator = experiment.evaluator(cross_entropy)
    rng, kinds = np.random.default_rng(1), set[str]()
    for _ in range(12):
        genotype = experiment.space.choices.sample(rng)
        design = experiment.space.choices.decode(genotype)
        model = compress(
            evaluator.space.build(design, TASK.example, 10),
            design,
            JOINT_COMPRESSORS,
            TASK.train.inputs[:256],
        )
        counted = evaluator.facts(genotype).costs
        _, metrics = evaluator.measure(model, counted)  # which raises where a cost rose
        assert metrics["size_bytes"] <= metrics["flash_bytes"] <= counted["flash_bytes"]
        kinds |= {
            kind
            for kind in ("rank", "sparsity", "codebook_size")
            if any(settings_of(design, kind).values())
        }
    assert kinds == {"rank", "sparsity", "codebook_size"}


def test_the_budget_is_that_of_the_file_before_training_and_after_it(file: Path) -> None:
    for kind, value, bits in (("sparsity", 0.5, 4), ("rank", 0.25, 4), ("codebook_size", 16, 8)):
        choices = small(file).space.choices
        options = {
            "drop": False,
            "prune": 0.0,
            "bits": bits,
            "sparsity": 0.0,
            "rank": 1.0,
            "codebook_size": 0,
            kind: value,
        }
        genes = [choice.options.index(options[choice.kind]) for choice in choices]
        genotype = choices.canonical(genes)
        assert settings_of(choices.decode(genotype), kind)
        costs = small(file).evaluator(cross_entropy).facts(genotype).costs
        assert costs["size_bytes"] < costs["flash_bytes"]
        # Facts are counted after calibration on one image, which changes some bytes.
        limit = int(1.005 * costs["size_bytes"])
        within, trained = small(file, size_bytes=limit).evaluator(cross_entropy)(
            0, Proposal(genotype)
        )
        assert within.status is Status.OK, within.reason
        assert trained is not None
        assert within.metrics["size_bytes"] == len(trained.packed) <= limit
        over, _ = small(file, size_bytes=int(0.99 * costs["size_bytes"])).evaluator(cross_entropy)(
            0, Proposal(genotype)
        )
        assert over.status is Status.OVER_BUDGET
        assert not over.history
        assert not over.is_trial


def test_brackets_begin_with_files_that_are_not_trained(file: Path, tmp_path: Path) -> None:
    experiment = small(file, fidelity="halving", finetune_epochs=2, trials=6, size_bytes=2500)
    # With a window of 1, the next rung begins as soon as it can.
    found = run(replace(experiment, window=1), tmp_path).evaluations
    assert [(e.epochs, len(e.history)) for e in found if e.status is Status.OK] == [
        *[(0, 0)] * 5,
        (None, 2),
    ]
    untrained = {e.genotype: e.metrics["accuracy"] for e in found if e.epochs == 0 and e.metrics}
    assert untrained[found[-1].genotype] == max(untrained.values())
    for evaluation in found:
        if evaluation.status is Status.OK:
            packed = (tmp_path / "packed" / f"{evaluation.id:05d}.nas").read_bytes()
            assert len(packed) == evaluation.metrics["size_bytes"] <= 2500


def test_the_network_follows_the_seed_and_the_file(file: Path, tmp_path: Path) -> None:
    first, again, other = (weights.digest(trained(TASK, 8, 1, None, seed)) for seed in (0, 0, 1))
    assert first == again != other
    assert (
        weights.digest(trained(TASK, 8, 1, file, 0))
        == weights.digest(trained(TASK, 8, 1, file, 1))
        != first
    )
    assert accuracy(trained(TASK, 8, 1, file, 0), TASK.validation) > 0.8
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        assert weights.digest(trained(TASK, 8, 1, None, 0)) == first
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)
    for path, width in ((tmp_path / "none.npz", 8), (file, 9)):
        with pytest.raises(
            ValueError,
            match=f"{path.name} must hold weights of the network, but is missing, damaged or of another",
        ):
            asked(width=width, weights=path)


def test_every_option_reaches_the_experiment(file: Path) -> None:
    experiment = small(
        file, macs=9000, peak_memory_bytes=700, size_bytes=None, finetune_epochs=5, trials=7, seed=3
    )
    assert experiment.objective.budget.limits == {"macs": 9000, "peak_memory_bytes": 700}
    assert (experiment.recipe.epochs, experiment.recipe.finetune_epochs) == (0, 5)
    assert (experiment.trials, experiment.seed) == (7, 3)
    assert isinstance(experiment.space, TrainedNetwork)
    with seeded(0):
        assert repr(experiment.space.model) == repr(residual_network(TASK, 8))


def test_the_table_has_files_of_all_bits_and_the_best_within_limits(file: Path) -> None:
    experiment = small(file, size_bytes=3000, trials=2)
    points = uniform(experiment)
    assert list(points) == ["8 bits", "4 bits", "3 bits", "2 bits", "1 bit"]
    sizes = [size for size, _ in points.values()]
    assert sizes == sorted(sizes, reverse=True)
    assert points["8 bits"][1] > 0.8
    found = joint_points(experiment, [3000, 10])
    assert list(found) == ["joint, within 3,000"]
    assert found["joint, within 3,000"][0] <= 3000
    assert row("a", [(1000.0, 0.5), (3001.0, 0.75)]) == "| a | 2,000 | 0.6250 ± 0.1250 |"
    assert row("a", [(1000.0, 0.5)]) == "| a | 1,000 | 0.5000 ± 0.0000 |"


FILE = """
from torch import nn

def make():
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.ReLU())
    model.add_module("head", nn.Linear(16, 10))
    return model
"""
PARAMETERS = 64 * 16 + 16 + 16 * 10 + 10


def test_a_network_of_the_user_is_compressed_with_their_data(tmp_path: Path) -> None:
    (tmp_path / "made.py").write_text(FILE)
    inputs, labels = TASK.train.inputs.numpy(), TASK.train.labels.numpy()
    np.savez(tmp_path / "d.npz", inputs=inputs, labels=labels)
    made = f"{tmp_path / 'made.py'}:make"
    model = load_network(made, None)
    save_model(model, str(tmp_path / "w.safetensors"))
    given: Any = {
        "model": made,
        "weights": tmp_path / "w.safetensors",
        "data": str(tmp_path / "d.npz"),
    }
    experiment = asked(**given, ratio=10, finetune_epochs=0, trials=1)
    assert isinstance(experiment.space, TrainedNetwork)
    assert weights.digest(experiment.space.model) == weights.digest(model)
    assert experiment.task.name == "d.npz"
    assert experiment.objective.budget.limits == {"size_bytes": 4 * PARAMETERS // 10}
    found = run(experiment, tmp_path / "run")
    assert found.best is not None
    wrong: Any
    for wrong in ({"ratio": 10, "size_bytes": 500}, {"ratio": 0}):
        with pytest.raises(ValueError, match="a size must be stated once"):
            asked(**given, **wrong)
    with pytest.raises(ValueError, match="must have a limit"):
        asked(**given)


def test_a_surrogate_that_starts_warm_expects_what_was_measured_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "made.py").write_text(FILE)
    made: Any = {"model": f"{tmp_path / 'made.py'}:make", "ratio": 10}
    monkeypatch.setattr(allocation, "measured", None)  # it would fail if it were called
    strategy = asked(**made, strategy="surrogate").describe()["strategy"]
    assert strategy["strategy"] == {"name": "Surrogate", "prior": {"name": "Expected"}}
    evolution = asked(**made, strategy="evolution").describe()["strategy"]
    assert (evolution["name"], evolution["strategy"]) == ("WarmStart", "AgingEvolution")
    assert len(strategy["genotypes"]) >= 4
    cold = asked(**made, strategy="surrogate", warm_start=False)
    assert cold.describe()["strategy"] == "Surrogate"


def test_the_digits_have_a_budget_of_3000_bytes_unless_another_is_stated(file: Path) -> None:
    limits = small(file, size_bytes=None).objective.budget.limits
    assert limits == {"size_bytes": 3000}


def test_the_network_in_floats_teaches_unless_it_is_told_not_to(file: Path) -> None:
    experiment = small(file, teacher=True)
    teacher = experiment.teacher
    assert teacher is not None
    assert (teacher.epochs, teacher.alpha, teacher.temperature) == (0, 0.5, 4.0)
    assert isinstance(experiment.space, TrainedNetwork)
    model = teacher.build(TASK.example, 10)
    assert weights.digest(model) == weights.digest(experiment.space.model)
    assert experiment.describe()["teacher"]["build"]["name"] == "Original"
    assert small(file).teacher is None


@pytest.mark.slow
def test_a_search_begins_with_allocations_and_resumes(file: Path, tmp_path: Path) -> None:
    options = {"warm_start": True, "size_bytes": 2500, "trials": 2}
    experiment = small(file, **options)
    first = experiment.describe()["strategy"]["genotypes"]
    assert len(first) >= 4
    found = run(experiment, tmp_path)
    assert [list(e.genotype) for e in found.evaluations] == first[: len(found.evaluations)]
    more = run(small(file, **(options | {"trials": 3})), tmp_path)
    assert more.evaluations[: len(found.evaluations)] == found.evaluations
    assert len(more.evaluations) > len(found.evaluations)
