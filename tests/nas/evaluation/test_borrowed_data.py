"""No network changes the samples of a task, or a caller's inputs: later candidates see them too."""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, replace

import pytest
import torch
from torch import Tensor, nn

from compressors.allocation.allocate import allocate
from compressors.allocation.compress_to import compress_to
from compressors.blocks import droppable
from compressors.criteria import APOZ
from compressors.post_training import quantize_trained
from compressors.pruning import prunable, prune
from compressors.quantization import Quantization, quantize
from compressors.reconstruction import reconstruct
from compressors.reconstruction_pruning import ReconstructionPruning
from nas.compress import compress
from nas.data import Split, Task
from nas.evaluation import Evaluator
from nas.lowering import lower
from nas.measure.sensitivity import sensitivity
from nas.objective import Budget, Evaluation, Status
from nas.onnx import float_to_onnx
from nas.program import logits as program_logits
from nas.quantize import calibrate, equalized, match_statistics
from nas.space import Choice, Choices, Design
from nas.strategy import Proposal
from nas.training.distil import Distillation
from nas.training.fit import accuracy, cross_entropy, fit, logits
from nas.training.hints import Hint
from nas.training.recipe import Recipe
from search_spaces.trained_network import TrainedNetwork


class AddedInPlace(nn.Module):
    """A first step as people write it: x += 1."""

    def forward(self, x: Tensor) -> Tensor:
        x += 1.0
        return x


FIRST: Mapping[str, Callable[[], nn.Module]] = {
    "none": nn.Identity,
    "ReLU": lambda: nn.ReLU(inplace=True),
    "Hardtanh": lambda: nn.Hardtanh(inplace=True),
    "added": AddedInPlace,
}


@dataclass(frozen=True)
class FirstLayers:
    """A space of what comes first."""

    choices = Choices([Choice("first", "act", (*FIRST, "zeroed")), Choice("head", "bits", (8,))])

    def build(self, design: Design, example: Tensor, classes: int) -> nn.Module:
        first = design["first.act"]
        if first == "zeroed":
            example.zero_()
        model = nn.Sequential()
        model.add_module("first", FIRST.get(str(first), nn.Identity)())
        model.add_module("head", nn.Linear(example[0].numel(), classes))
        return model


@dataclass(frozen=True)
class Zeroing:
    """A compressor that changes the batch that it is given."""

    kind: str = "bits"

    def apply(
        self,
        model: nn.Module,
        settings: Mapping[str, Hashable],
        example: Tensor,
    ) -> nn.Module:
        example.zero_()
        return model


def part(count: int, seed: int) -> Split:
    shuffle, labels = torch.Generator().manual_seed(seed), torch.arange(count) % 3
    centers = 2.0 * (labels - 1)[:, None] - 1.0
    return Split(centers + 0.3 * torch.randn(count, 4, generator=shuffle), labels)


@pytest.fixture
def task() -> Task:
    return Task(
        name="signs", train=part(300, 0), validation=part(90, 1), test=part(90, 2), classes=3
    )


def evaluator(task: Task) -> Evaluator:
    return Evaluator(
        space=FirstLayers(),
        compressors=(Quantization(),),
        task=task,
        recipe=Recipe(epochs=2, finetune_epochs=1, lr=0.05),
        budget=Budget({}),
        device=None,
        loss=cross_entropy,
        seed=0,
    )


def same(one: Evaluation, other: Evaluation) -> bool:
    return replace(one, seconds=0.0) == replace(other, seconds=0.0)


@pytest.mark.parametrize("first", range(1, len(FIRST) + 1))
def test_a_candidate_leaves_the_samples_as_they_were(first: int, task: Task) -> None:
    digest = task.digest
    alone = evaluator(task)(0, Proposal((0, 0)))[0]
    again = evaluator(task)
    again(0, Proposal((first, 0)))
    again.facts((first, 0))
    assert replace(task).digest == digest
    assert alone.status is Status.OK
    assert same(again(0, Proposal((0, 0)))[0], alone)


def test_a_compressor_gets_a_copy(task: Task) -> None:
    inputs = task.train.inputs.clone()
    compress(nn.Linear(4, 3), {"bits": 8}, (Zeroing(), Zeroing()), task.train.inputs)
    replace(evaluator(task), compressors=(Zeroing(),))(0, Proposal((0, 0)))
    assert torch.equal(task.train.inputs, inputs)


def test_the_example_of_a_task_is_a_copy(task: Task) -> None:
    task.example.zero_()
    assert task.train.inputs[0].abs().sum() > 0


IMAGES = torch.randn(40, 2, 6, 6, generator=torch.Generator().manual_seed(0))
CLASSES = 3


def network() -> nn.Sequential:
    """A network that begins with a ReLU in place."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.ReLU(inplace=True),
        nn.Conv2d(2, 4, 3),
        nn.BatchNorm2d(4),
        nn.ReLU(inplace=True),
        nn.Conv2d(4, 4, 3, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(64, CLASSES),
    ).eval()


def shuffle() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def labelled(x: Tensor) -> Split:
    return Split(x, torch.arange(len(x)) % CLASSES)


def trained_on(x: Tensor) -> None:
    split = labelled(x)
    task = Task(name="x", train=split, validation=split, test=split, classes=CLASSES)
    loss = Distillation(network(), x, 0.5, 4.0, (Hint(teacher="1", student="1"),))
    fit(network(), task, Recipe(), epochs=1, lr=1e-3, loss=loss, generator=shuffle())


def built_trained(x: Tensor) -> None:
    TrainedNetwork(network(), Choices([Choice("1", "bits", (8,))])).build(Design({}), x, CLASSES)


FUNCTIONS: Mapping[str, Callable[[Tensor], object]] = {
    "lower": lambda x: lower(network(), x),
    "quantize": lambda x: quantize(network(), 8, x),
    "quantize_trained": lambda x: quantize_trained(network(), 8, x),
    "calibrate": lambda x: calibrate(quantize(network(), 8, x.clone()), x),
    "prune": lambda x: prune(network(), 0.5, x),
    "prune by activity": lambda x: prune(network(), 0.5, x, criterion=APOZ),
    "prunable": lambda x: prunable(network(), x),
    "droppable": lambda x: droppable(network(), x),
    "reconstruction pruning": lambda x: ReconstructionPruning().apply(network(), {"1": 0.5}, x),
    "allocate": lambda x: allocate(network(), x, size_bytes=900),
    "compress_to": lambda x: compress_to(
        network(),
        size_bytes=900,
        images=x,
        generator=shuffle(),
        recipe=Recipe(epochs=0, finetune_epochs=1),
    ),
    "reconstruct": lambda x: reconstruct(
        quantize(network(), 4, x.clone()), network(), x, generator=shuffle(), steps=2
    ),
    "match_statistics": lambda x: match_statistics(quantize(network(), 4, x.clone()), network(), x),
    "sensitivity": lambda x: sensitivity(quantize(network(), 8, x.clone()), labelled(x), (4,)),
    "equalized": lambda x: logits(equalized(network()), x),
    "float_to_onnx": lambda x: float_to_onnx(network(), x),
    "logits": lambda x: logits(network(), x),
    "accuracy": lambda x: accuracy(network(), labelled(x)),
    "program": lambda x: program_logits(lower(network(), x.clone()), x),
    "training with a teacher": trained_on,
    "a trained network": built_trained,
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_inputs_that_are_lent_come_back_as_they_were(name: str) -> None:
    lent = IMAGES.clone()
    FUNCTIONS[name](lent)
    assert torch.equal(lent, IMAGES)
