from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from compressors import Freezing, Quantization
from nas import Budget, Choice, Choices, Experiment, Objective, Recipe, run
from nas.compress import compress
from nas.data import Task
from nas.objective import Status
from nas.training.fit import cross_entropy, fit
from search_spaces import TrainedNetwork
from strategies import RandomSearch


def network(task: Task) -> nn.Sequential:
    """A backbone, and a head for the classes of the task."""
    torch.manual_seed(0)
    features = task.example[0].numel()
    backbone = nn.Sequential(nn.Flatten(), nn.Linear(features, 8), nn.BatchNorm1d(8), nn.ReLU())
    model = nn.Sequential()
    model.add_module("backbone", backbone)
    model.add_module("head", nn.Linear(8, task.classes))
    return model


def changed(before: nn.Module, after: nn.Module) -> set[str]:
    found = dict(after.named_parameters())
    return {name for name, was in before.named_parameters() if not torch.equal(was, found[name])}


def trained(model: nn.Module, task: Task) -> nn.Module:
    shuffle = torch.Generator().manual_seed(0)
    fit(model, task, Recipe(), epochs=1, lr=1e-2, loss=cross_entropy, generator=shuffle)
    return model


def test_only_what_is_not_frozen_is_trained_until_all_is(tiny_task: Task) -> None:
    model, design = network(tiny_task), {"backbone.frozen": True}
    frozen = compress(model, design, [Freezing()], tiny_task.example)
    head = {"head.weight", "head.bias"}
    assert changed(model, trained(frozen, tiny_task)) == head
    free = compress(frozen, design, [Freezing(frozen=False)], tiny_task.example)
    assert changed(frozen, trained(free, tiny_task)) > head
    kept = compress(model, {"backbone.frozen": False}, [Freezing()], tiny_task.example)
    assert all(weights.requires_grad for weights in kept.parameters())


def test_a_search_fine_tunes_a_backbone_with_a_new_head(tiny_task: Task, tmp_path: Path) -> None:
    choices = [Choice("backbone", "frozen", (True, False)), Choice("backbone.1", "bits", (4, 8))]
    experiment = Experiment(
        space=TrainedNetwork(network(tiny_task), Choices([*choices, Choice("head", "bits", (8,))])),
        narrowing=(Freezing(),),
        compressors=(Freezing(frozen=False), Quantization()),
        task=tiny_task,
        recipe=Recipe(epochs=2, finetune_epochs=1, batch_size=16),
        objective=Objective(minimize=("size_bytes",), budget=Budget({"size_bytes": 2000})),
        strategy=RandomSearch,
        trials=3,
        seed=0,
    )
    found = run(experiment, tmp_path / "run")
    done = [each for each in found.evaluations if each.history]
    assert [each.status for each in done] == [Status.OK] * 3
    assert {each.design["backbone.frozen"] for each in done} == {True, False}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"backbone": 1}, "must be True or False, but got 1 at 'backbone'"),
        ({"neck": True}, "must be a module of the network, .* but got 'neck'"),
        ({"": True}, "must have parameters that are not frozen"),
    ],
)
def test_what_cannot_be_frozen_is_refused(settings: Any, message: str, tiny_task: Task) -> None:
    with pytest.raises(ValueError, match=message):
        Freezing().apply(network(tiny_task), settings, tiny_task.example)
