"""A search for the best joint compression of a trained network within a budget."""

import copy
import math
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from compressors.allocation.allocate import BITS, RATIOS
from compressors.allocation.expected import Expected
from compressors.allocation.first_designs import first_designs
from compressors.allocation.measured import measured
from compressors.joint import JOINT_COMPRESSORS, joint_choices
from compressors.quantization import Quantization
from experiments.options import SearchOptions
from nas.data import Task
from nas.data.load import load_task
from nas.experiment import Experiment
from nas.seeds import derive, seeded
from nas.strategy import StrategyFactory
from nas.threads import one_thread
from nas.training.distil import Teacher
from nas.training.fit import cross_entropy, fit
from nas.training.given_network import load_network, load_weights
from nas.training.recipe import Recipe
from search_spaces.trained_network import TrainedNetwork
from strategies.bayesian.surrogate import Surrogate
from strategies.warm_start import WarmStart

BYTES_PER_FLOAT = 4
ETA = 5
"""One in five candidates is trained further: after none, one and eight epochs by default."""
DEFAULTS = SearchOptions(trials=120, epochs=16, finetune_epochs=8, finetune_lr=5e-3, teacher=True)


def compression(
    options: SearchOptions = DEFAULTS,
    model: str | None = None,
    weights: Path | None = None,
    data: str = "digits",
    ratio: float | None = None,
    warm_start: bool = True,
    width: int = 32,
) -> Experiment:
    """Searches for the best compression of a trained network: yours, or a residual network that is
    trained on scikit-learn's 8x8 handwritten digits.

    Only the network of the digits is trained before compression, unless its weights are given, and the
    size of its file is limited to 3,000 bytes if nothing is. The teacher is the network in floats, and
    cheap fidelities begin with no training at all. By the time of one epoch, 1.6 s, the 120 trials of that
    network take some twenty minutes on two cores.

    Args:
        model: FILE.py:FUNCTION, a function without arguments that returns the network; without it,
            the network of the digits
        weights: file of the network's weights, as safetensors; without it, the network is as the
            function returns it
        data: digits, or the path of images, a table or signals that nas.data.load_task reads
        ratio: how many times smaller the file must be than the network in 32-bit floats, instead of
            a size
        warm_start: whether the search begins with bits that are allocated to the layers for the
            size, and with the same bits and pruning ratio in all layers; with as few trials as
            these, nothing else is tried. The surrogate then also knows what was measured for that
        width: channels of the network of the digits
    """
    task = load_task(data)
    network = (
        trained(task, width, options.epochs, weights, options.seed)
        if model is None
        else load_network(model, weights)
    )
    size_bytes = _size_limit(network, options.size_bytes, ratio)
    options = replace(options, size_bytes=size_bytes, epochs=0)
    if not options.limits:
        if model is not None:
            raise ValueError(
                "the compression of a network must have a limit, such as size_bytes, ratio, macs or "
                "peak_memory_bytes, but has none"
            )
        options = replace(options, size_bytes=3000)
    return options.experiment(
        space=TrainedNetwork(
            network, joint_choices(network, task.example, ratios=RATIOS, bits=BITS)
        ),
        compressors=JOINT_COMPRESSORS,
        task=task,
        # Temperature and weights of Hinton et al. (2015) as `Teacher` has them.
        teacher=Teacher(build=Original(network), epochs=0),
        begun=partial(_warm_started, network=network) if warm_start else None,
        eta=ETA,
        least=0,
    )


@dataclass(frozen=True, eq=False)
class Original:
    """The trained network itself, as a teacher of its compressed copies."""

    model: nn.Module

    def __call__(self, example: Tensor, classes: int) -> nn.Module:  # noqa: ARG002 - whatever the task
        """A copy of the network."""
        return copy.deepcopy(self.model)


@one_thread()
def _warm_started(experiment: Experiment, network: nn.Module) -> StrategyFactory:
    """The strategy of the experiment, begun with `first_designs`; a surrogate also expects what they
    were chosen by.
    """
    evaluator = experiment.evaluator(cross_entropy)
    images, choices = evaluator.calibration, experiment.space.choices
    try:
        problem = measured(network, images, choices, Quantization())
    except ValueError:  # layers are quantized already, or choices are not those of single layers
        problem = None
    genotypes = first_designs(
        network,
        images,
        choices,
        experiment.objective.budget.limits,
        evaluator.facts,
        problem,
    )
    inner = experiment.strategy
    if problem is not None and inner is Surrogate:
        inner = partial(Surrogate, prior=Expected(problem, choices))
    return partial(WarmStart, strategy=inner, genotypes=genotypes)


def _size_limit(network: nn.Module, size_bytes: int | None, ratio: float | None) -> int | None:
    if ratio is None:
        return size_bytes
    if size_bytes is not None or not ratio > 0:
        raise ValueError(
            f"a size must be stated once, by size_bytes or by a positive ratio, but got {size_bytes} and {ratio}"
        )
    floats = sum(parameter.numel() for parameter in network.parameters())
    return math.floor(BYTES_PER_FLOAT * floats / ratio)


def trained(task: Task, width: int, epochs: int, weights_file: Path | None, seed: int) -> nn.Module:
    """The residual network with the weights of the file, or else trained on one thread, so that its
    weights do not depend on the number of cores.

    Raises:
        ValueError: if the file is missing, damaged, or of another network.
    """
    chosen = derive(seed, "trained")
    with seeded(chosen):
        model = residual_network(task, width)
    if weights_file is not None:
        load_weights(model, weights_file)
        return model
    recipe = Recipe(epochs=epochs, finetune_epochs=0)
    with one_thread():
        shuffle = torch.Generator().manual_seed(chosen)
        fit(model, task, recipe, epochs=epochs, lr=recipe.lr, loss=cross_entropy, generator=shuffle)
    return model


class Block(nn.Module):
    """A residual block of two 3x3 convolutions (He et al., 2016)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(width)
        self.second = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(width)
        self.act1, self.act2 = nn.ReLU(), nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """[N, width, H, W] to the same shape."""
        y = self.norm2(self.second(self.act1(self.norm1(self.first(x)))))
        result: Tensor = self.act2(x + y)
        return result


def residual_network(task: Task, width: int) -> nn.Module:
    """A stem, three residual blocks with pooling between them, and a head; randomly initialized."""
    model = nn.Sequential()
    stem = nn.Conv2d(1, width, 3, padding=1, bias=False)
    model.add_module("stem", nn.Sequential(stem, nn.BatchNorm2d(width), nn.ReLU()))
    for number in range(3):
        model.add_module(f"block{number}", Block(width))
        if number < 2:
            model.add_module(f"pool{number}", nn.MaxPool2d(2))
    model.add_module("mean", nn.AdaptiveAvgPool2d(1))
    model.add_module("flatten", nn.Flatten())
    model.add_module("head", nn.Linear(width, task.classes))
    return model


if __name__ == "__main__":
    from nas.cli.main import run_script

    run_script(compression)
