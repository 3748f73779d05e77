"""The ways to compress a trained network that are compared, by name."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

import torch
from torch import nn

from benchmarks.trained import baselines, other_tools
from benchmarks.trained.table import Measured
from compressors import compress_to
from nas.data import Task
from nas.training.recipe import Recipe

Row = tuple[str, Callable[[], bytes | Measured]]
"""A name, and what makes a packed file, or measures what another tool makes."""


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A trained network to compress, and what to compress it to.

    Args:
        model: the network, trained in floats
        task: its data
        recipe: how a compressed network is trained on, in its second phase
        sizes: budgets in bytes
        bits: of all layers alike
        by_hand: ratios of channels, and the bits of what is left
        trials: designs of a random search
        seed: of shuffles and random designs
    """

    model: nn.Module
    task: Task
    recipe: Recipe
    sizes: tuple[int, ...]
    bits: tuple[int, ...]
    by_hand: tuple[tuple[float, int], ...]
    trials: int
    seed: int


def compressed(subject: Subject, size_bytes: int) -> bytes:
    """What `compress_to` makes, from the same images and labels and by the same recipe as others."""
    train = subject.task.train
    return compress_to(
        subject.model,
        size_bytes=size_bytes,
        images=train.inputs,
        labels=train.labels,
        generator=torch.Generator().manual_seed(subject.seed),
        recipe=subject.recipe,
    ).packed


def _uniform(subject: Subject) -> Iterator[Row]:
    model, task, recipe = subject.model, subject.task, subject.recipe
    for bits in subject.bits:
        make = partial(baselines.uniform, model, task, recipe, bits, subject.seed)
        yield f"{_bits(bits)} in all layers", make


def _pruned(subject: Subject) -> Iterator[Row]:
    model, task, recipe = subject.model, subject.task, subject.recipe
    for ratio, bits in subject.by_hand:
        make = partial(baselines.pruned, model, task, recipe, ratio, bits, subject.seed)
        yield f"{100 * (1 - ratio):g} % of the channels, {_bits(bits)}", make


def _allocated(subject: Subject) -> Iterator[Row]:
    for size in subject.sizes:
        make = partial(baselines.allocated, subject.model, subject.task, size)
        yield f"allocated, {size:,} bytes, not trained", make


def _random(subject: Subject) -> Iterator[Row]:
    model, task, seed = subject.model, subject.task, subject.seed
    for size in subject.sizes:
        name = f"best of {subject.trials} random designs, {size:,} bytes"
        found = list[baselines.Found]()

        def search(size: int = size, found: list[baselines.Found] = found) -> bytes:
            found.append(baselines.random_search(model, task, size, subject.trials, seed))
            return found[-1].packed

        yield f"{name}, not trained", search
        if found:  # the row above was made
            design = found[-1].design
            make = partial(baselines.design_trained, model, task, subject.recipe, design, seed)
            yield "the same design, trained", make


def _compressed(subject: Subject) -> Iterator[Row]:
    for size in subject.sizes:
        yield f"compress_to, {size:,} bytes", partial(compressed, subject, size)


def _others(subject: Subject) -> Iterator[Row]:
    model, task, recipe, seed = subject.model, subject.task, subject.recipe, subject.seed
    yield "ONNX Runtime, 8 bits, not trained", partial(other_tools.onnxruntime_int8, model, task)
    for ratio in sorted({ratio for ratio, _ in subject.by_hand}):
        yield (
            f"Torch-Pruning, {100 * (1 - ratio):g} % of the channels, and ONNX Runtime, 8 bits",
            partial(other_tools.torch_pruning_int8, model, task, recipe, ratio, seed),
        )
    for bits in subject.bits:
        make = partial(other_tools.brevitas, model, task, recipe, bits, seed)
        yield f"Brevitas, {_bits(bits)}, without coding", make


def _bits(bits: int) -> str:
    return "1 bit" if bits == 1 else f"{bits} bits"


METHODS: Mapping[str, Callable[[Subject], Iterator[Row]]] = {
    "uniform": _uniform,
    "pruned": _pruned,
    "allocated": _allocated,
    "random": _random,
    "compress_to": _compressed,
    "others": _others,
}
"""From a network to the rows of its table; each row is made before the next is asked for."""
