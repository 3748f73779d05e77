import copy
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from compressors.blocks import BlockPruning
from compressors.low_rank import LowRank
from compressors.post_training import PostTraining
from compressors.pruning import ChannelPruning
from compressors.quantization import Quantization
from compressors.sharing import Sharing
from compressors.sparsity import WeightPruning
from nas.compress import compress
from nas.data import Task
from nas.experiment import Experiment
from nas.objective import Status, accuracies
from nas.runs.directory import RunDirectoryError
from nas.runs.run import run
from nas.seeds import seeded
from nas.space import Choice, Choices, Design
from nas.testing.space import check_space
from nas.training.fit import accuracy, cross_entropy, fit
from nas.training.recipe import Recipe
from search_spaces.trained_network import TrainedNetwork

ALL = (
    BlockPruning(),
    ChannelPruning(unstated="follow"),
    LowRank(),
    WeightPruning(),
    Sharing(),
    Quantization(),
)
KEPT: Any = ("block.drop", frozenset({False}))
CHOICES = Choices(
    [
        Choice("block", "drop", (False, True)),
        Choice("stem", "prune", (0.0, 0.5)),
        Choice("block.first", "prune", (0.0, 0.5), KEPT),
        Choice("block", "sparsity", (0.0, 0.5), KEPT),
        Choice("block.second", "rank", (1.0, 0.25), KEPT),
        Choice("stem", "codebook_size", (0, 4)),
        Choice("", "bits", (3, 8)),
    ]
)


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.norm, self.second = (
            nn.Conv2d(8, 8, 3, padding=1),
            nn.BatchNorm2d(8),
            nn.Conv2d(8, 8, 3, padding=1),
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x + self.second(torch.relu(self.norm(self.first(x)))))


def network(seed: int = 0) -> nn.Sequential:
    with seeded(seed):
        model = nn.Sequential()
        layers = {
            "stem": nn.Conv2d(1, 8, 3),
            "relu": nn.ReLU(),
            "block": Block(),
            "flatten": nn.Flatten(),
        }
        for name, layer in {**layers, "head": nn.Linear(32, 3)}.items():
            model.add_module(name, layer)
    return model


@pytest.fixture(scope="module")
def trained(tiny_task: Task) -> nn.Module:
    model = network()
    shuffle = torch.Generator().manual_seed(0)
    fit(
        model,
        tiny_task,
        Recipe(batch_size=10),
        epochs=6,
        lr=0.01,
        loss=cross_entropy,
        generator=shuffle,
    )
    return model


def test_the_space_keeps_its_contract_with_every_compressor(
    trained: nn.Module, tiny_task: Task
) -> None:
    check_space(
        TrainedNetwork(trained, CHOICES),
        tiny_task.train.inputs[:4],
        3,
        np.random.default_rng(0),
        ALL,
    )


def test_every_candidate_is_a_copy_of_the_network_as_it_was_given(
    trained: nn.Module, tiny_task: Task
) -> None:
    given = copy.deepcopy(trained).to(memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    space = TrainedNetwork(given, CHOICES)
    with torch.no_grad():
        for model in (given, space.build(Design({}), tiny_task.example, 3)):
            model.get_parameter("stem.weight").zero_()
            model.get_buffer("block.norm.running_mean").zero_()
    built = space.build(Design({}), tiny_task.example, 3)
    assert not built.training
    assert built.get_parameter("block.first.weight").is_contiguous()
    assert built.state_dict().keys() == trained.state_dict().keys()
    assert all(
        torch.equal(tensor, trained.state_dict()[name])
        for name, tensor in built.state_dict().items()
    )


def test_sites_that_are_not_there_are_refused_with_those_that_are() -> None:
    wrong = Choices(
        [Choice("", "bits", (8,)), Choice("stem", "bits", (8,)), Choice("tail", "bits", (8,))]
    )
    with pytest.raises(
        ValueError,
        match=r"sites must name modules of the trained network, \['stem', .*'head'\], but got \['tail'\]",
    ):
        TrainedNetwork(network(), wrong)


def test_a_network_that_does_not_fit_the_task_is_refused(
    tiny: Callable[..., Experiment], tiny_task: Task, tmp_path: Path
) -> None:
    space = TrainedNetwork(network(), CHOICES)
    with pytest.raises(ValueError, match=r"must accept inputs \(2, 4, 4\), but raises: .*channels"):
        space.build(Design({}), torch.zeros(1, 2, 4, 4), 3)
    with pytest.raises(
        ValueError, match=r"must give logits \(1, 4\) for one sample, but gives \(1, 3\)"
    ):
        space.build(Design({}), tiny_task.example, 4)
    with pytest.raises(ValueError, match="must give logits"):
        run(
            tiny(space=space, compressors=ALL, task=replace(tiny_task, classes=4)), tmp_path / "run"
        )
    assert not (tmp_path / "run").exists()


def search(tiny: Callable[..., Experiment], model: nn.Module, trials: int = 6) -> Experiment:
    recipe = Recipe(epochs=0, finetune_epochs=2, batch_size=10)
    return tiny(space=TrainedNetwork(model, CHOICES), compressors=ALL, recipe=recipe, trials=trials)


def test_a_resumed_search_ends_where_an_undisturbed_one_does(
    tiny: Callable[..., Experiment], trained: nn.Module, tmp_path: Path
) -> None:
    whole = run(search(tiny, trained), tmp_path / "whole")
    run(search(tiny, trained, trials=2), tmp_path / "parts")
    parts = run(search(tiny, copy.deepcopy(trained)), tmp_path / "parts")
    assert [(e.genotype, e.metrics, e.history) for e in parts.evaluations] == [
        (e.genotype, e.metrics, e.history) for e in whole.evaluations
    ]
    assert {e.status for e in whole.evaluations} == {Status.OK}
    assert all(e.metrics["size_bytes"] <= e.metrics["flash_bytes"] for e in whole.evaluations)
    # Training started from the trained weights.
    assert whole.best is not None
    assert accuracies(whole.best.history)[0] > 0.8


def test_another_trained_network_is_another_experiment(
    tiny: Callable[..., Experiment], trained: nn.Module, tmp_path: Path
) -> None:
    run(search(tiny, trained, trials=1), tmp_path)
    other = copy.deepcopy(trained)
    with torch.no_grad():
        other.get_buffer("block.norm.running_var").mul_(1.001)
    with pytest.raises(
        RunDirectoryError,
        match=r"experiment that it was made by, but space.model was '\w{16}' and is '\w{16}'",
    ):
        run(search(tiny, other, trials=1), tmp_path)


def test_other_layers_with_the_same_weights_are_another_experiment(
    tiny: Callable[..., Experiment],
) -> None:
    bits = Choices([Choice("", "bits", (8,))])
    spaces = [
        TrainedNetwork(nn.Sequential(nn.Flatten(), act, network().get_submodule("head")), bits)
        for act in (nn.ReLU(), nn.ReLU6(), nn.ReLU())
    ]
    first, other, again = (tiny(space=space).describe()["space"] for space in spaces)
    assert first == again != other


def test_without_epochs_a_candidate_is_the_trained_network_compressed(
    tiny: Callable[..., Experiment], trained: nn.Module, tiny_task: Task, tmp_path: Path
) -> None:
    bits = Choices([Choice("", "bits", (8, 2))])
    experiment = tiny(
        space=TrainedNetwork(trained, bits),
        compressors=(PostTraining(),),
        recipe=Recipe(epochs=0, finetune_epochs=0),
        trials=2,
    )
    found = {e.design["bits"]: e for e in run(experiment, tmp_path).evaluations}
    assert {e.status for e in found.values()} == {Status.OK}
    assert found[8].metrics["accuracy"] == pytest.approx(
        accuracy(trained, tiny_task.validation), abs=0.04
    )
    for width, evaluation in found.items():
        assert evaluation.history == ()
        alone = compress(trained, {"bits": width}, [PostTraining()], tiny_task.train.inputs[:256])
        assert evaluation.metrics["accuracy_fake_quant"] == pytest.approx(
            accuracy(alone, tiny_task.validation), abs=0.04
        )
