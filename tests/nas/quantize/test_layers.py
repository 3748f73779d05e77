import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from nas.quantize import ActivationQuantizer, QuantizedConv2d, QuantizedLinear, weight_levels
from nas.quantize.weight_quantizers import weight_quantizer
from nas.seeds import seeded

ALL_BITS = range(2, 9)


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def quantize_weight(weight: Tensor, bits: int) -> Tensor:
    """Each weight at its level, as a layer has it."""
    quantized: Tensor = weight_quantizer(weight, bits)(weight)
    return quantized


def top(bits: int) -> int:
    """The largest of the symmetric levels."""
    return int(2 ** (bits - 1)) - 1


def distinct(values: Tensor) -> list[float]:
    """The different values, in rising order."""
    return sorted(set(values.flatten().tolist()))


def steps(weight: Tensor, bits: int) -> Tensor:
    """The distance of two levels in each channel, in the shape of the weights."""
    largest = weight.flatten(1).abs().amax(1) / (top(bits) + 0.499)
    return largest.reshape(-1, *[1] * (weight.ndim - 1)).expand_as(weight)


def levels(quantized: Tensor, weight: Tensor, bits: int) -> Tensor:
    """Which multiples of its step the quantized weights are."""
    multiples = quantized / steps(weight, bits)
    assert torch.allclose(multiples, multiples.round(), atol=1e-3)
    return multiples.round()


def passed(layer: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
    """The gradient that comes out behind a layer, and the one that went in."""
    x = x.clone().requires_grad_()
    upstream = noise(*x.shape, seed=5)
    layer(x).backward(upstream)
    assert x.grad is not None
    return x.grad, upstream


def calibrated(low: float, high: float, bits: int) -> ActivationQuantizer:
    module = ActivationQuantizer(bits).eval()
    module.low.fill_(low)
    module.high.fill_(high)
    return module


@pytest.mark.parametrize("bits", ALL_BITS)
@pytest.mark.parametrize("shape", [(5, 300), (4, 7, 3, 3)])
def test_weights_lie_on_symmetric_levels_of_their_channel(
    bits: int, shape: tuple[int, ...]
) -> None:
    weight = noise(*shape)
    quantized = quantize_weight(weight, bits)
    for channel, used in zip(quantized, levels(quantized, weight, bits), strict=True):
        assert len(distinct(channel)) <= 2**bits - 1
        assert used.abs().max() == top(bits)
    assert torch.equal(quantize_weight(-weight, bits), -quantized)


@pytest.mark.parametrize("bits", ALL_BITS)
def test_every_level_of_the_weights_is_used(bits: int) -> None:
    weight = torch.linspace(-3.0, 3.0, 4001)[None]
    assert len(distinct(quantize_weight(weight, bits))) == 2**bits - 1


@pytest.mark.parametrize("bits", ALL_BITS)
def test_no_weight_is_off_by_more_than_half_a_step(bits: int) -> None:
    weight = torch.cat([noise(6, 200), 100.0 * noise(6, 200, seed=1)]).reshape(12, 200)
    error = (quantize_weight(weight, bits) - weight).abs()
    assert (error <= 0.5001 * steps(weight, bits)).all()


@pytest.mark.parametrize("bits", ALL_BITS)
def test_a_weight_of_zero_stays_zero(bits: int) -> None:
    weight = noise(4, 10)
    weight[:, ::3] = 0.0
    assert (quantize_weight(weight, bits)[:, ::3] == 0.0).all()


@pytest.mark.parametrize("bits", ALL_BITS)
def test_the_gradient_reaches_every_weight_unchanged(bits: int) -> None:
    weight = noise(4, 3, 3, 3)
    weight[0, 0] = 0.0
    weight[1, 0, 0, 0] = 50.0  # far outside of the others
    weight.requires_grad_()
    upstream = noise(4, 3, 3, 3, seed=1)
    quantize_weight(weight, bits).backward(upstream)  # type: ignore[no-untyped-call]
    assert weight.grad is not None
    assert torch.equal(weight.grad, upstream)


@pytest.mark.parametrize("bits", ALL_BITS)
def test_a_channel_of_zeros_stays_zero_with_a_finite_gradient(bits: int) -> None:
    weight = noise(3, 8)
    weight[1] = 0.0
    weight.requires_grad_()
    quantized = quantize_weight(weight, bits)
    assert (quantized[1] == 0.0).all()
    quantized.sum().backward()  # type: ignore[no-untyped-call]
    assert weight.grad is not None
    assert torch.equal(weight.grad, torch.ones(3, 8))


@pytest.mark.parametrize("bits", ALL_BITS)
def test_quantizing_again_keeps_the_levels(bits: int) -> None:
    weight = noise(6, 50)
    once = quantize_weight(weight, bits)
    twice = quantize_weight(once, bits)
    assert torch.equal(levels(twice, once, bits), levels(once, weight, bits))


@pytest.mark.parametrize("bits", ALL_BITS)
@pytest.mark.parametrize("factor", [2.0, -0.25, 3.7, -1e-3, 1e4])
def test_a_scaled_channel_is_quantized_to_its_scaled_levels(bits: int, factor: float) -> None:
    weight, factors = noise(3, 40), torch.tensor([[1.0], [factor], [-1.0]])
    assert torch.allclose(
        quantize_weight(factors * weight, bits), factors * quantize_weight(weight, bits), rtol=1e-5
    )


@pytest.mark.parametrize("bits", ALL_BITS)
@pytest.mark.parametrize(
    ("low", "high"), [(-1.3, 2.9), (0.0, 5.0), (-4.0, 0.0), (-1e-3, 7.0), (-100.0, 0.01)]
)
def test_activations_lie_on_levels_of_which_zero_is_one(bits: int, low: float, high: float) -> None:
    module = calibrated(low, high, bits)
    x = torch.linspace(low - 2.0, high + 2.0, 5001)
    quantized = module(x)
    assert len(distinct(quantized)) == 2**bits
    assert module(torch.zeros(3)).tolist() == [0.0, 0.0, 0.0]
    gaps = torch.tensor(distinct(quantized)).diff()
    assert torch.allclose(gaps, torch.full_like(gaps, (high - low) / (2**bits - 1)), rtol=1e-3)
    assert torch.equal(module(quantized), quantized)


@pytest.mark.parametrize("bits", ALL_BITS)
def test_no_activation_within_the_range_is_off_by_more_than_half_a_step(bits: int) -> None:
    for low, high in ((-1.3, 2.9), (0.0, 5.0), (-4.0, 0.0), (-1.0, 1.0)):
        x = torch.linspace(low, high, 1001)
        error = (calibrated(low, high, bits)(x) - x).abs()
        assert error.max() <= 0.5001 * (high - low) / (2**bits - 1)


@pytest.mark.parametrize("bits", ALL_BITS)
def test_activations_outside_of_the_range_take_its_ends(bits: int) -> None:
    module = calibrated(-1.0, 3.0, bits)
    low, high = module(torch.tensor([-50.0, 50.0])).tolist()
    half = 2.0 / (2**bits - 1)
    assert low == pytest.approx(-1.0, abs=1.001 * half)
    assert high == pytest.approx(3.0, abs=1.001 * half)


@pytest.mark.parametrize("bits", ALL_BITS)
def test_the_gradient_passes_inside_of_the_range_and_stops_outside(bits: int) -> None:
    module = calibrated(-1.0, 3.0, bits)
    step = 4.0 / (2**bits - 1)
    # Rounding moves the ends by up to half a step, and up to half a step beyond the last level
    # nothing is clipped.
    inside = torch.linspace(-1.0 + step, 3.0 - step, 50)
    outside = torch.cat(
        [torch.linspace(-20.0, -1.0 - 1.01 * step, 20), torch.linspace(3.0 + 1.01 * step, 20.0, 20)]
    )
    gradient, upstream = passed(module, torch.cat([inside, outside]))
    assert torch.equal(gradient[:50], upstream[:50])
    assert (gradient[50:] == 0.0).all()
    assert (upstream != 0.0).all()


@pytest.mark.parametrize("bits", ALL_BITS)
def test_the_gradient_stops_exactly_where_values_are_clipped(bits: int) -> None:
    module = calibrated(-1.7, 2.2, bits)
    x = torch.linspace(-3.0, 4.0, 4001)
    ends = module(torch.tensor([-9.0, 9.0]))
    gradient, upstream = passed(module, x)
    step = 3.9 / (2**bits - 1)
    clipped = (x < ends[0] - 0.501 * step) | (x > ends[1] + 0.501 * step)
    kept = (x > ends[0] - 0.499 * step) & (x < ends[1] + 0.499 * step)
    assert (gradient[clipped] == 0.0).all()
    assert torch.equal(gradient[kept], upstream[kept])


def test_activations_that_are_all_zero_stay_zero_with_a_finite_gradient() -> None:
    module = calibrated(0.0, 0.0, 8)
    assert module(torch.zeros(4)).tolist() == [0.0] * 4
    gradient, _ = passed(module, torch.zeros(4))
    assert gradient.isfinite().all()
    assert module(torch.tensor([1.0])).isfinite().all()


def test_the_range_widens_at_once_shrinks_slowly_and_rests_in_evaluation() -> None:
    module = calibrated(-1.0, 3.0, 8).train()
    module(torch.tensor([-5.0, 1.0]))
    assert (module.low.item(), module.high.item()) == pytest.approx((-5.0, 2.98))
    module(torch.tensor([2.0, 4.9]))  # zero stays within
    assert (module.low.item(), module.high.item()) == pytest.approx((-4.95, 4.9))
    module.eval()
    module(torch.tensor([-50.0, 50.0]))
    assert (module.low.item(), module.high.item()) == pytest.approx((-4.95, 4.9))


@pytest.mark.parametrize("bits", ALL_BITS)
def test_the_levels_that_are_given_are_those_that_values_take(bits: int) -> None:
    module = calibrated(-1.3, 2.9, bits)
    scale, zero = module.levels()
    assert module.top == 2**bits - 1
    said = module(torch.linspace(-3.0, 5.0, 5001))
    assert torch.equal(said, said.div(scale).round() * scale)
    assert (said.div(scale).round() + zero).unique().tolist() == list(range(2**bits))
    # What a file stores is a 32-bit float.
    assert torch.tensor(scale, dtype=torch.float32).item() == scale


@pytest.mark.parametrize("bits", ALL_BITS)
def test_the_levels_of_weights_are_whole_and_their_scales_one_a_channel(bits: int) -> None:
    weight = noise(5, 3, 3, 3)
    found, scale = weight_levels(weight, bits)
    assert scale.shape == (5,)
    assert torch.equal(found, found.round())
    assert found.abs().flatten(1).amax(1).tolist() == [top(bits)] * 5
    assert torch.allclose(found * scale.reshape(5, 1, 1, 1), quantize_weight(weight, bits))


GEOMETRIES: list[dict[str, Any]] = [
    {"groups": 2},
    {"groups": 6},
    {"stride": 2},
    {"stride": (1, 2), "dilation": (2, 1)},
    {"padding": 1},
    {"padding": "same"},
    {"padding": (2, 0), "padding_mode": "circular"},
    {"padding": 2, "padding_mode": "reflect"},
    {"kernel_size": (1, 3)},
    {"bias": False},
]


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_a_convolution_keeps_its_geometry_and_its_parameters(geometry: dict[str, Any]) -> None:
    inputs = noise(4, 6, 8, 8)
    with seeded(0):
        layer = nn.Conv2d(**{"in_channels": 6, "out_channels": 6, "kernel_size": 3, **geometry})
    expected = copy.deepcopy(layer)
    with torch.no_grad():
        expected.weight.copy_(quantize_weight(layer.weight, 4))
    made = QuantizedConv2d(layer, 4)
    assert torch.equal(made(inputs), expected(inputs))
    for name in (
        "stride",
        "padding",
        "dilation",
        "groups",
        "padding_mode",
        "kernel_size",
        "in_channels",
        "out_channels",
    ):
        assert getattr(made, name) == getattr(layer, name)
    assert made.weight is layer.weight
    assert made.bias is layer.bias
    assert made.bits == 4


@pytest.mark.parametrize("bias", [True, False])
def test_a_linear_layer_computes_with_quantized_weights(bias: bool) -> None:
    with seeded(0):
        layer = nn.Linear(6, 5, bias)
    made = QuantizedLinear(layer, 3)
    expected = nn.functional.linear(noise(4, 6), quantize_weight(layer.weight, 3), layer.bias)
    assert torch.equal(made(noise(4, 6)), expected)
    assert made.weight is layer.weight
    assert made.bias is layer.bias
