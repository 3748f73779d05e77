import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from nas.quantize import (
    QuantizedConv2d,
    QuantizedLinear,
    dense,
    integer_layer,
    quantized_layer,
    weight_levels,
)
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
def test_rounding_moves_weights_by_at_most_half_a_step(bits: int) -> None:
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
def test_levels_are_integers_with_one_scale_per_channel(bits: int) -> None:
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
def test_a_quantized_convolution_keeps_its_geometry_and_parameters(
    geometry: dict[str, Any],
) -> None:
    inputs = noise(4, 6, 8, 8)
    with seeded(0):
        layer = nn.Conv2d(**{"in_channels": 6, "out_channels": 6, "kernel_size": 3, **geometry})
    expected = copy.deepcopy(layer)
    with torch.no_grad():
        expected.weight.copy_(quantize_weight(layer.weight, 4))
    made = quantized_layer(layer, 4)
    assert isinstance(made, QuantizedConv2d)
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
    made = quantized_layer(layer, 3)
    assert isinstance(made, QuantizedLinear)
    expected = nn.functional.linear(noise(4, 6), quantize_weight(layer.weight, 3), layer.bias)
    assert torch.equal(made(noise(4, 6)), expected)
    assert made.weight is layer.weight
    assert made.bias is layer.bias


def test_the_integers_of_a_plain_layer_are_a_view_with_8_bits() -> None:
    with seeded(0):
        layer = nn.Linear(6, 5)
    view = integer_layer(layer)
    assert (view.bits, view.affine, view.entries) == (8, False, None)
    for found, expected in zip(view.levels(), weight_levels(layer.weight, 8), strict=True):
        assert torch.equal(found, expected)
    weight = layer.weight.detach().clone()
    view.rescale(torch.full((5,), 2.0))
    assert torch.equal(layer.weight, 2.0 * weight)
    assert type(layer) is nn.Linear


def test_the_integers_of_an_integer_layer_are_its_own() -> None:
    layer = quantized_layer(nn.Conv2d(1, 2, 3), 3, "affine")
    assert isinstance(layer, QuantizedConv2d)
    assert integer_layer(layer) is layer
    assert (layer.bits, layer.affine, layer.entries) == (3, True, None)


@pytest.mark.parametrize("training", [True, False])
def test_a_dense_layer_has_the_unrounded_weights(training: bool) -> None:
    layer = quantized_layer(nn.Conv2d(2, 4, 3, padding=1), 2).train(training)
    assert isinstance(layer, QuantizedConv2d)
    plain = dense(layer)
    assert type(plain) is nn.Conv2d
    assert torch.equal(plain.weight, layer.weight)
    assert plain.bias is layer.bias
    assert plain.padding == layer.padding
    assert plain.training is training
