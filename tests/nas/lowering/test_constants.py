"""Layers whose weights are all but 0, tensors of every magnitude: the program says what they say."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from compressors.quantization import quantize
from nas.lowering import lower, snapped
from nas.lowering.scalings import within_reach
from nas.packed import pack, unpack
from nas.program import logits
from nas.tracing import outputs
from nas.tracing.same_outputs import difference

INPUTS = torch.rand(32, 64, generator=torch.Generator().manual_seed(0))
IMAGES = torch.randn(16, 3, 8, 8, generator=torch.Generator().manual_seed(0))
BIASES = torch.tensor([5.0, -4.5, 2.0, 0.25])


def linear(model: nn.Sequential, at: int) -> nn.Linear:
    found = model[at]
    assert isinstance(found, nn.Linear)
    return found


def perceptron(gain: float = 1.0, biases: Tensor | None = None) -> nn.Sequential:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 4)).eval()
    with torch.no_grad():
        linear(model, 2).weight.data.mul_(gain)
        if biases is not None:
            linear(model, 2).bias.data.copy_(biases)
    return model


def normalized(gains: Tensor, biases: Tensor, variance: float = 1.0) -> nn.Module:
    torch.manual_seed(0)
    norm = nn.BatchNorm2d(8)
    with torch.no_grad():
        norm.weight.copy_(gains)
        norm.bias.copy_(biases)
        assert norm.running_var is not None
        norm.running_var.fill_(variance)
    head = nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4)
    return nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), norm, *head).eval()


def check(model: nn.Module, inputs: Tensor, tolerance: float = 0.03) -> None:
    """The program of the network, and those of its quantized and snapped forms, say what it says."""
    wanted = outputs(model, inputs)
    assert difference(wanted, torch.from_numpy(logits(lower(model, inputs), inputs))) < tolerance
    for form in (lambda network: network, snapped):
        quantized = form(quantize(model, 8, inputs))
        assert difference(wanted, outputs(quantized, inputs)) < tolerance
        program = lower(quantized, inputs)
        assert difference(wanted, torch.from_numpy(logits(program, inputs))) < tolerance
        loaded = unpack(pack(program))
        np.testing.assert_array_equal(logits(loaded, inputs), logits(program, inputs))


@pytest.mark.parametrize("gain", [0.0, 1e-38, 1e-20, 1e-9, 1e-6, 1e-3])
def test_a_layer_of_tiny_weights_says_its_biases(gain: float) -> None:
    check(perceptron(gain, BIASES), INPUTS)


def test_a_channel_without_weights_says_its_bias() -> None:
    model = perceptron(1.0, torch.tensor([3.0, 0.0, 0.0, 0.0]))
    with torch.no_grad():
        linear(model, 2).weight[0] = 0.0
    check(model, INPUTS)


@pytest.mark.parametrize("magnitude", [1e-20, 1e-9, 1e-4, 1e6])
def test_inputs_may_have_any_magnitude(magnitude: float) -> None:
    model = perceptron(1.0, torch.zeros(4))
    with torch.no_grad():
        linear(model, 0).bias.data.zero_()
    check(model, INPUTS * magnitude)
    check(perceptron(1.0), INPUTS * magnitude)


@pytest.mark.parametrize("gain", [0.0, 1e-9, 1e-6, 1e-3])
@pytest.mark.parametrize("mixed", [False, True])
def test_gains_of_normalization_may_be_tiny(gain: float, mixed: bool) -> None:
    gains = torch.tensor([1.0 if mixed else gain, gain] * 4)
    check(normalized(gains, torch.linspace(-1, 3, 8)), IMAGES)


@pytest.mark.parametrize("variance", [1e-12, 1e-6, 1e6, 1e12])
def test_running_variances_may_have_any_magnitude(variance: float) -> None:
    check(normalized(torch.ones(8), torch.full((8,), 0.1), variance), IMAGES)


def test_a_layer_that_is_always_zero_leaves_the_biases_behind_it() -> None:
    model = perceptron(1.0, BIASES)
    with torch.no_grad():
        linear(model, 0).bias.data.fill_(-100.0)
    check(model, INPUTS)


def test_large_biases_leave_small_weights() -> None:
    model = perceptron(1.0, torch.tensor([1000.0, -900.0, 3.0, 2.0]))
    check(model, INPUTS)


@given(
    factor=st.floats(1e-3, 1e9),
    sums=st.integers(-9, 9),
    within=st.floats(-300.0, 600.0),
    zero=st.integers(0, 255),
)
def test_factors_out_of_reach_give_the_same_results(
    factor: float, sums: int, within: float, zero: int
) -> None:
    factors, offsets = np.array([factor]), np.array([within - zero - sums * factor])
    least, shifted = within_reach(factors, offsets, zero)
    assert least.max() < 256
    for total in range(sums - 3, sums + 4):
        wanted = np.clip(total * factors + offsets, -zero, 255 - zero)
        found = np.clip(total * least + shifted, -zero, 255 - zero)
        np.testing.assert_allclose(found, wanted, atol=1.01)  # a step, at the ends of the range
