"""Inputs as integers in the order of the C, and the outputs that a program gives."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from nas.program.interpreter import Interpreter
from nas.program.program import Program
from nas.program.tensors import TensorType

MOST, MOST_INTEGERS = 12, 2**16


def input_integers(first: TensorType, inputs: torch.Tensor) -> NDArray[np.uint8]:
    """Inputs, float32 [N, …], as the integers that model_run reads, uint8 [N, size]."""
    levels = inputs.div(first.scale).round_().clamp_(-first.zero, first.top - first.zero)
    integers = (levels + first.zero).numpy().astype(np.uint8)
    return np.ascontiguousarray(np.moveaxis(integers, 1, -1)).reshape(len(inputs), -1)


def output_integers(program: Program, inputs: torch.Tensor) -> NDArray[np.uint8]:
    """The interpreter's integers, uint8 [N, classes]."""
    with torch.inference_mode():
        return Interpreter(program).integers(inputs).numpy().astype(np.uint8)


def drawn_inputs(program: Program, count: int, seed: int = 0) -> torch.Tensor:
    """Inputs, float32 [count, …], each integer of which is as likely as any other."""
    first, rng = program.tensors[0], torch.Generator().manual_seed(seed)
    levels = torch.randint(first.top + 1, (count, *first.shape), generator=rng)
    return (levels - first.zero).to(torch.float32) * first.scale


def few(inputs: torch.Tensor) -> torch.Tensor:
    """Up to a dozen inputs, fewer where they are large: a compiler reads them as text."""
    each = inputs[0].numel()
    return inputs[: max(1, min(MOST, MOST_INTEGERS // each))]


def rows(integers: Sequence[Sequence[int]]) -> str:
    """Integers as the rows of an initializer."""
    return "\n".join("    {" + ", ".join(map(str, row)) + "}," for row in integers)
