"""The second rounding of runtimes with 32-bit fixed-point multipliers."""

import numpy as np
import pytest
import torch

from nas.data import Split
from nas.program.interpreter import Interpreter, logits, score
from nas.program.operations import Linear
from nas.program.program import Program
from nas.program.rounding import rounded_twice
from nas.program.scaling import Scaling
from nas.program.tensors import TensorType
from nas.program.weights import IntegerWeights


def gemmlowp(total: int, multiplier: int, shift: int) -> int:
    """`total` · `multiplier` / 2^`shift` as gemmlowp computes it, in integers."""
    bits = multiplier.bit_length()
    fixed, exponent = multiplier << (31 - bits), bits - shift
    product = (total << max(exponent, 0)) * fixed
    nudged = product + (2**30 if product >= 0 else 1 - 2**30)
    high = abs(nudged) // 2**31 * (1 if nudged >= 0 else -1)  # C rounds towards zero
    right = max(-exponent, 0)
    rest, threshold = high & (2**right - 1), (2**right - 1 >> 1) + (high < 0)
    return int((high >> right) + (rest > threshold))


@pytest.mark.parametrize("multiplier", [1, 3, 2**15, 40_503, 2**16 - 1])
@pytest.mark.parametrize("shift", [8, 15, 16, 17, 24, 31, 40])
def test_sums_are_rounded_as_by_gemmlowp(multiplier: int, shift: int) -> None:
    rng, factor = np.random.default_rng(shift), multiplier * 0.5**shift
    near = np.rint((np.arange(-40, 40) + 0.5) / factor) if factor > 2.0**-20 else np.zeros(1)
    sums = np.concatenate([near, near - 1, rng.integers(-(2**20), 2**20, 500)]).astype(np.int64)
    found = rounded_twice(torch.from_numpy(sums * factor), factor)
    assert found.tolist() == [gemmlowp(each, multiplier, shift) for each in sums.tolist()]


def test_each_channel_has_a_shift_of_its_own() -> None:
    factors, sums = np.array([0.75, 0.3, 2.0**-9])[:, None], np.arange(-999, 999)
    together = rounded_twice(torch.from_numpy(sums * factors), factors)
    apart = [rounded_twice(torch.from_numpy(sums * factor), factor) for (factor,) in factors]
    assert torch.equal(together, torch.stack(apart))
    assert not torch.equal(together, torch.from_numpy(np.floor(sums * factors + 0.5)))


def steps_of_half() -> Program:
    """A program that multiplies by 1/4, so that integers end in halves."""
    weights = IntegerWeights(np.array([[1], [-1]], np.int8), 8)
    gains = Scaling(np.full(2, 2**14, np.uint16), 16, 0, 255)
    layer = Linear("linear", (0,), gains, weights, np.zeros(2, np.int32))
    return Program((TensorType((1,), 1.0, 128), TensorType((2,), 1.0, 128)), (layer,))


def test_the_interpreter_rounds_by_either_rule() -> None:
    program, inputs = steps_of_half(), torch.tensor([[6.0], [5.0], [-6.0], [2.0]])
    assert Interpreter(program).integers(inputs).tolist() == [
        [130, 127],
        [129, 127],
        [127, 130],
        [129, 128],
    ]
    # Halves of the product go up, halves of what is shifted away from zero.
    assert Interpreter(program, rounding="double").integers(inputs).tolist() == [
        [130, 126],
        [130, 127],
        [126, 130],
        [129, 127],
    ]


def test_logits_and_scores_are_those_of_the_rule() -> None:
    program, inputs = steps_of_half(), torch.tensor([[2.0], [-2.0]])
    assert logits(program, inputs).tolist() == [[1.0, 0.0], [0.0, 1.0]]
    assert logits(program, inputs, rounding="double").tolist() == [[1.0, -1.0], [-1.0, 1.0]]
    split = Split(torch.tensor([[1.0], [-1.0]]), torch.tensor([0, 1]))
    assert score(program, split) == 0.5
    assert score(program, split, rounding="double") == 1.0


def test_an_unknown_rule_is_refused() -> None:
    with pytest.raises(ValueError, match=r"one of \('single', 'double'\), but got 'twice'"):
        Interpreter(steps_of_half(), rounding="twice")  # type: ignore[arg-type]
