"""A small space, and an evaluator of its candidates."""

import dataclasses
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from compressors.quantization import Quantization
from nas.compress import Compressor, compress
from nas.data import Task
from nas.evaluation.evaluator import Evaluator
from nas.evaluation.measuring import TrainedCandidate
from nas.lowering import lower
from nas.measure import Device, costs
from nas.objective import Budget, Evaluation
from nas.space import Choice, Choices, Design, Genotype
from nas.training.fit import Loss, cross_entropy
from nas.training.recipe import Recipe

RECIPE = Recipe(epochs=2, finetune_epochs=1, batch_size=16, lr=0.02, finetune_lr=0.01)


class Space:
    """A hidden layer with batch normalization, or none."""

    choices = Choices(
        [
            Choice("", "depth", (1, 2)),
            Choice("hidden", "width", (4, 8), ("depth", frozenset({2}))),
            Choice("hidden", "bits", (4, 8), ("depth", frozenset({2}))),
            Choice("head", "bits", (2, 8)),
        ]
    )

    def build(self, design: Design, example: Tensor, classes: int) -> nn.Module:
        features = example[0].numel()
        model = nn.Sequential(nn.Flatten())
        if design["depth"] == 2:
            width = design["hidden.width"]
            assert isinstance(width, int)
            model.add_module("hidden", nn.Linear(features, width, bias=False))
            model.add_module("norm", nn.BatchNorm1d(width))
            model.add_module("relu", nn.ReLU())
            features = width
        model.add_module("head", nn.Linear(features, classes))
        return model


DEEP, SHALLOW = (1, 1, 0, 1), (0, 0, 0, 1)


class Watching:
    """Changes nothing, and remembers what it is given."""

    kind = "bits"

    def __init__(self) -> None:
        self.seen: list[tuple[int, Tensor]] = []

    def apply(
        self, model: nn.Module, settings: Mapping[str, Hashable], example: Tensor
    ) -> nn.Module:
        batches: Any = model.get_submodule("norm").num_batches_tracked
        self.seen.append((int(batches), example))
        return model


def evaluator(
    task: Task,
    *,
    space: Any = None,
    compressors: Sequence[Compressor] = (Quantization(),),
    recipe: Recipe = RECIPE,
    limits: Mapping[str, float] | None = None,
    device: Device | None = None,
    loss: Loss = cross_entropy,
    seed: int = 0,
) -> Evaluator:
    return Evaluator(
        space=space or Space(),
        compressors=compressors,
        task=task,
        recipe=recipe,
        budget=Budget(limits or {}),
        device=device,
        loss=loss,
        seed=seed,
    )


def untimed(evaluation: Evaluation) -> Evaluation:
    return dataclasses.replace(evaluation, seconds=0.0)


def same(first: TrainedCandidate | None, second: TrainedCandidate | None) -> bool:
    assert first is not None
    assert second is not None
    one, other = first.model.state_dict(), second.model.state_dict()
    equal = one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)
    assert equal == (first.packed == second.packed)
    return equal


def costs_of(genotype: Genotype, task: Task) -> dict[str, float]:
    """The costs of an untrained candidate."""
    design = Space.choices.decode(genotype)
    model = compress(
        Space().build(design, task.example, task.classes), design, [Quantization()], task.example
    )
    return costs(model, lower(model, task.example))
