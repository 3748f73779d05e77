from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from benchmarks.joint_compression import joint as joint_points
from benchmarks.joint_compression import row, uniform
from benchmarks.methods import residual
from experiments.compression import COMPRESSORS, compression, joint, trained
from nas.compress import compress, settings_of
from nas.data import digits
from nas.evaluate import Evaluator
from nas.objective import Status
from nas.runs.run import run
from nas.seeds import generator, seeded
from nas.strategy import Proposal
from nas.testing.space import check_space
from nas.training import checkpoint as weights
from nas.training.fit import accuracy, cross_entropy
from search_spaces.trained_network import TrainedNetwork

TASK = digits(generator(0, "digits"))


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of a network of eight channels, trained a little."""
    path = tmp_path_factory.mktemp("weights") / "trained.npz"
    weights.save(trained(TASK, 8, 10, None, 0), path)
    return path


def small(file: Path, **options: Any) -> Any:
    settings: Any = {
        "width": 8,
        "weights_file": file,
        "finetune_epochs": 1,
        "size_bytes": 1800,
        "trials": 3,
    }
    return compression(**(settings | options))


def test_a_search_ends_within_its_budget(file: Path, tmp_path: Path) -> None:
    found = run(small(file), tmp_path)
    assert [e.status for e in found.evaluations].count(Status.OK) == 3
    assert {e.status for e in found.evaluations} <= {Status.OK, Status.OVER_BUDGET}
    assert found.best is not None
    assert found.best.metrics["size_bytes"] <= 1800


def test_a_candidate_starts_from_what_was_learnt(file: Path) -> None:
    experiment = small(file, size_bytes=None)
    genes = [
        choice.options.index(8) if choice.kind == "bits" else 0
        for choice in experiment.space.choices
    ]
    evaluation, _ = experiment.evaluator(cross_entropy)(0, Proposal(tuple(genes)))
    assert evaluation.metrics["accuracy"] > 0.85
    assert len(evaluation.history) == 1


def test_every_kind_of_compression_is_a_choice_and_each_group_has_one_ratio(file: Path) -> None:
    model = trained(TASK, 8, 1, file, 0)
    choices = joint(model, TASK.example)
    assert {choice.kind for choice in choices} == {compressor.kind for compressor in COMPRESSORS}
    assert [choice.site for choice in choices if choice.kind == "drop"] == [
        "block0",
        "block1",
        "block2",
    ]
    assert [choice.site for choice in choices if choice.kind == "prune"] == [
        "stem.0",
        *(f"block{i}.first" for i in range(3)),
    ]
    assert [choice.site for choice in choices if choice.kind == "bits"] == [
        *("stem.0", *(f"block{i}.{name}" for i in range(3) for name in ("first", "second")), "head")
    ]
    assert {choice.site.partition(".")[0] for choice in choices if choice.kind == "codes"} == {
        "block0",
        "block1",
        "block2",
    }
    dropped = choices.decode([1] * 3 + [0] * (len(choices) - 3))
    assert set(dropped) == {
        "block0.drop",
        "block1.drop",
        "block2.drop",
        "stem.0.prune",
        "stem.0.bits",
        "head.bits",
    }


def test_no_design_fails_and_none_costs_other_than_was_counted(file: Path) -> None:
    experiment = small(file)
    check_space(experiment.space, TASK.train.inputs[:4], 10, np.random.default_rng(0), COMPRESSORS)
    evaluator: Evaluator = experiment.evaluator(cross_entropy)
    rng, kinds = np.random.default_rng(1), set[str]()
    for _ in range(12):
        genotype = experiment.space.choices.sample(rng)
        design = experiment.space.choices.decode(genotype)
        model = compress(
            evaluator.space.build(design, TASK.example, 10),
            design,
            COMPRESSORS,
            TASK.train.inputs[:256],
        )
        counted = evaluator.facts(genotype).costs
        _, metrics = evaluator.measure(model, counted)  # which raises where a cost rose
        assert metrics["size_bytes"] <= metrics["flash_bytes"] <= counted["flash_bytes"]
        kinds |= {
            kind
            for kind in ("rank", "sparsity", "codes")
            if any(settings_of(design, kind).values())
        }
    assert kinds == {"rank", "sparsity", "codes"}


def test_what_is_just_within_a_budget_is_trained_and_a_byte_less_refuses_it(file: Path) -> None:
    for kind, value, bits in (("sparsity", 0.5, 4), ("rank", 0.25, 4), ("codes", 16, 8)):
        choices = small(file).space.choices
        options = {
            "drop": False,
            "prune": 0.0,
            "bits": bits,
            "sparsity": 0.0,
            "rank": 1.0,
            "codes": 0,
            kind: value,
        }
        genes = [choice.options.index(options[choice.kind]) for choice in choices]
        genotype = choices.canonical(genes)
        assert settings_of(choices.decode(genotype), kind)
        cost = int(small(file).evaluator(cross_entropy).facts(genotype).costs["flash_bytes"])
        for limit, status in ((cost, Status.OK), (cost - 1, Status.OVER_BUDGET)):
            evaluation, _ = small(file, size_bytes=limit).evaluator(cross_entropy)(
                0, Proposal(genotype)
            )
            assert evaluation.status is status, evaluation.reason


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
            compression(width=width, weights_file=path)


def test_every_option_reaches_the_experiment(file: Path) -> None:
    experiment = small(
        file, macs=9000, peak_memory_bytes=700, size_bytes=None, finetune_epochs=5, trials=7, seed=3
    )
    assert experiment.objective.budget.limits == {"macs": 9000, "peak_memory_bytes": 700}
    assert (experiment.recipe.epochs, experiment.recipe.finetune_epochs) == (0, 5)
    assert (experiment.trials, experiment.seed) == (7, 3)
    assert isinstance(experiment.space, TrainedNetwork)
    with seeded(0):
        assert repr(experiment.space.model) == repr(residual(TASK, 8))


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


def test_a_network_without_blocks_or_layers_of_weight_has_fewer_choices() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    assert [choice.name for choice in joint(model, TASK.example)] == [
        *("1.prune", "1.bits", "1.sparsity", "1.rank", "1.codes"),
        "3.bits",
    ]
    twice = nn.Sequential(
        nn.Flatten(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10)
    )
    twice[3] = twice[1]
    assert [choice.name for choice in joint(twice, TASK.example) if choice.kind == "bits"] == [
        "1.bits",
        "5.bits",
    ]
