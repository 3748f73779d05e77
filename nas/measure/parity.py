"""How far the logits of another form of a program are from the program's own."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nas.program.interpreter import logits
from nas.program.program import Program
from nas.program.rounding import Rounding
from nas.quality import taken_for

SAMPLES = 512


@dataclass(frozen=True)
class Parity:
    """The share of logits that differ by half a step of the program's output or more, the largest
    difference in steps, and the share of samples with another class, among `samples`.
    """

    samples: int
    differing: float
    steps: float
    classes: float


def parity(
    program: Program,
    inputs: Tensor,
    found: NDArray[np.float32],
    rounding: Rounding = "single",
) -> Parity:
    """How logits `found`, [N, classes] or one for two classes, agree with the program's for inputs,
    float32 [N, …], under a rule of rounding.
    """
    wanted = logits(program, inputs, rounding=rounding)
    steps = np.abs(found.astype(np.float64) - wanted) / program.tensors[-1].scale
    changed = taken_for(found) != taken_for(wanted)
    return Parity(
        len(inputs), float((steps >= 0.5).mean()), float(steps.max()), float(changed.mean())
    )


def random_inputs(program: Program, count: int = SAMPLES, seed: int = 0) -> Tensor:
    """Inputs, float32 [count, …], each element of which is uniform in the range of the program's
    input.
    """
    first, rng = program.tensors[0], torch.Generator().manual_seed(seed)
    levels = torch.rand(count, *first.shape, generator=rng) * first.top
    return (levels - first.zero) * first.scale
