"""A space with candidates that do harm when they are built."""

import ctypes
import os
import sys
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from compressors.quantization import Quantization
from nas.data import Split, Task
from nas.experiment import Experiment
from nas.objective import Budget, Objective
from nas.space import Choice, Choices, Design
from nas.training.recipe import Recipe
from strategies.grid import Grid


def _raise(error: BaseException) -> None:
    raise error


def _sleep(_: Tensor) -> None:
    # One call of C, which no signal handler of Python interrupts.
    ctypes.CDLL(None).sleep(600)


def _tell_and_sleep(example: Tensor) -> None:
    Path("begun").touch()
    _sleep(example)


def _zero_samples() -> None:
    TASK.train.inputs.zero_()


def _loop(_: Tensor) -> None:
    while True:
        time.sleep(0.01)


HARMS: Mapping[str, Callable[[Tensor], Any]] = {
    "none": lambda _: None,
    "exit": lambda _: os._exit(0),
    "abort": lambda _: os.abort(),
    "sys.exit": lambda _: sys.exit(0),
    "interrupt": lambda _: _raise(KeyboardInterrupt()),
    "loop": _loop,
    "long call": _sleep,
    "long call, told": _tell_and_sleep,
    "dtype": lambda _: torch.set_default_dtype(torch.float64),
    "grad": lambda _: torch.set_grad_enabled(False),
    "threads": lambda _: torch.set_num_threads(3),
    "samples": lambda _: _zero_samples(),
    "filters": lambda _: warnings.simplefilter("error"),
    "environment": lambda _: os.environ.update(HARMED="1"),
    "warning": lambda _: warnings.warn("a remark", stacklevel=1),
}


class Harmful:
    """A linear network; `build` does the harm that a design names."""

    def __init__(self, harms: Sequence[str], bits: Sequence[int]) -> None:
        self.choices = Choices([Choice("", "harm", (*harms,)), Choice("head", "bits", (*bits,))])

    def build(self, design: Design, example: Tensor, classes: int) -> nn.Module:
        HARMS[str(design["harm"])](example)
        model = nn.Sequential(nn.Flatten())
        model.add_module("head", nn.Linear(example[0].numel(), classes))
        return model


def _split(count: int, seed: int) -> Split:
    labels = torch.arange(count) % 3
    inputs = 0.5 * torch.rand(count, 1, 4, 4, generator=torch.Generator().manual_seed(seed))
    inputs[torch.arange(count), 0, labels] += 0.5
    return Split(inputs, labels)


TASK = Task(
    name="blobs", train=_split(48, 0), validation=_split(24, 1), test=_split(24, 2), classes=3
)


def harmful(*harms: str, bits: Sequence[int] = (4, 8)) -> Experiment:
    """A search through all candidates with these harms, in order."""
    return Experiment(
        space=Harmful(harms, bits),
        compressors=(Quantization(),),
        task=TASK,
        recipe=Recipe(epochs=1, finetune_epochs=1, batch_size=16),
        objective=Objective(budget=Budget({"size_bytes": 1000.0})),
        strategy=Grid,
        trials=len(harms) * len(bits),
        seed=0,
    )
