import numpy as np
import torch

from nas.measure.parity import Parity, parity, random_inputs
from nas.program.interpreter import logits
from nas.program.operations import Lut
from nas.program.program import Program
from nas.program.tensors import TensorType

SOURCE = TensorType((4,), 0.5, 3, 3)
PROGRAM = Program(
    (SOURCE, TensorType((4,), 0.25, 0)), (Lut("lut", (0,), np.arange(8, dtype=np.uint8) * 9),)
)


def test_logits_that_differ_are_counted_in_steps() -> None:
    inputs = torch.tensor([[-1.5, 0.0, 1.0, 2.0], [2.0, 0.0, 0.0, 0.0]])
    wanted = logits(PROGRAM, inputs)
    assert parity(PROGRAM, inputs, wanted) == Parity(2, 0.0, 0.0, 0.0)
    found = wanted.copy()
    found[0, 1] += 0.25
    found[1, 0] = -0.5
    steps = (wanted[1, 0] + 0.5) / 0.25
    assert parity(PROGRAM, inputs, found) == Parity(2, 2 / 8, steps, 1 / 2)


def test_random_inputs_spread_over_the_range_of_the_input() -> None:
    inputs = random_inputs(PROGRAM)
    assert inputs.shape == (512, 4)
    assert -1.5 <= inputs.min() < -1.4
    assert 1.9 < inputs.max() <= 2.0
    assert torch.equal(inputs, random_inputs(PROGRAM))
