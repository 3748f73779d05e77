import pytest
import torch
from torch import Tensor, nn

from nas.quantize import integer_layer, quantized_layer, weight_quantizer
from nas.quantize.first_steps import least_error_step
from nas.quantize.weight_levels import (
    Granularity,
    affine_levels,
    binary_levels,
    ternary_levels,
    weight_levels,
)
from nas.quantize.weight_quantizers import LearnedStep, WeightMethod
from nas.seeds import seeded

METHODS: list[WeightMethod] = ["max", "lsq", "ternary", "affine", "mse", "affine_mse"]


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("scales", ["channel", "tensor"])
def test_the_initial_step_is_that_of_the_paper(scales: Granularity) -> None:
    weight = noise(4, 3, 3, 3)
    mean = weight.abs().flatten(1).mean(1) if scales == "channel" else weight.abs().mean().repeat(4)
    for bits, top in ((2, 1), (4, 7), (8, 127)):
        quantizer = LearnedStep(bits, weight, scales)
        levels, step = quantizer.levels(weight)
        assert torch.allclose(step, 2 * mean / top**0.5)
        assert torch.allclose(quantizer(weight), levels * step.view(4, 1, 1, 1))
        assert levels.abs().max() <= top
        assert quantizer.ratio.shape == ((4,) if scales == "channel" else (1,))


def test_a_learned_step_learns_to_fit_the_weights() -> None:
    weight = noise(3, 400)
    quantizer = LearnedStep(3, weight, "channel")
    with torch.no_grad():
        quantizer.ratio.fill_(3.0)
    before = (quantizer(weight) - weight).square().mean().item()
    optimizer = torch.optim.SGD(quantizer.parameters(), lr=20.0)
    for _ in range(200):
        optimizer.zero_grad()
        (quantizer(weight) - weight).square().mean().backward()
        optimizer.step()
    assert (quantizer(weight) - weight).square().mean().item() < 0.2 * before


def test_the_gradient_scale_counts_the_weights_of_one_step() -> None:
    weight = noise(4, 25)
    for scales, count in (("channel", 25), ("tensor", 100)):
        quantizer = LearnedStep(3, weight, "channel" if scales == "channel" else "tensor")
        quantizer(weight).sum().backward()
        levels, step = quantizer.levels(weight)
        inside = (weight / step[:, None]).abs() <= 3.5
        plain = (
            torch.where(inside, levels - weight / step[:, None], levels)
            / (count * 3) ** 0.5
            * quantizer.first.view(-1, 1)
        )
        assert quantizer.ratio.grad is not None
        assert torch.allclose(
            quantizer.ratio.grad,
            plain.sum(1) if scales == "channel" else plain.sum().view(1),
            atol=1e-5,
        )


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("scales", ["channel", "tensor"])
@pytest.mark.parametrize("bits", range(1, 9))
def test_scaled_weights_keep_their_levels(
    bits: int, method: WeightMethod, scales: Granularity
) -> None:
    with seeded(0):
        layer = nn.Linear(20, 5)
    made = quantized_layer(layer, bits, method, scales)
    levels, scale = made.levels()
    ratio = (
        torch.tensor([2.0, 0.5, 1.5, 1.0, 4.0]) if scales == "channel" else torch.full((5,), 1.5)
    )
    weight = layer.weight.detach().clone()
    made.rescale(ratio)
    assert made.bits == bits
    assert torch.equal(made.levels()[0], levels)
    assert torch.allclose(made.levels()[1], scale * ratio)
    assert torch.allclose(layer.weight, weight * ratio[:, None])


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("bits", range(1, 9))
def test_channels_of_zeros_are_finite_and_trained(bits: int, method: WeightMethod) -> None:
    weight = noise(3, 8)
    weight[1] = 0.0
    weight.requires_grad_()
    quantized = weight_quantizer(weight, bits, method)(weight)
    assert quantized[1].abs().max() < 1e-20
    quantized.sum().backward()
    assert weight.grad is not None
    assert (weight.grad[1] == 1.0).all()


def test_each_weight_method_has_its_rule() -> None:
    weight = noise(3, 30)
    rules = [*((1, method, binary_levels) for method in METHODS), (2, "ternary", ternary_levels)]
    for bits, method, rule in rules:
        expected = rule(weight)
        found = weight_quantizer(
            weight, bits, next(known for known in METHODS if known == method)
        ).levels(weight)
        assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))
    for bits, method in ((2, "max"), (3, "max"), (3, "ternary")):
        found = weight_quantizer(weight, bits, "max" if method == "max" else "ternary").levels(
            weight
        )
        assert torch.equal(found[0], weight_levels(weight, bits)[0])
    for bits in range(2, 9):
        assert torch.equal(
            weight_quantizer(weight, bits, "affine").levels(weight)[0],
            affine_levels(weight, bits)[0],
        )
    assert isinstance(weight_quantizer(weight, 2, "lsq"), LearnedStep)


def test_only_affine_levels_have_zero_points() -> None:
    layer = nn.Linear(3, 2)
    for bits in (1, 2, 8):
        found = [quantized_layer(layer, bits, method).affine for method in METHODS]
        assert found == [False, False, False, bits > 1, False, bits > 1]
    assert not integer_layer(layer).affine


@pytest.mark.parametrize(
    ("bits", "method"), [(1, "max"), (2, "ternary"), (4, "max"), (2, "affine"), (4, "affine")]
)
def test_computed_scales_let_the_gradient_through(bits: int, method: WeightMethod) -> None:
    weight = noise(4, 9).requires_grad_()
    upstream = noise(4, 9, seed=1)
    weight_quantizer(weight, bits, method)(weight).backward(upstream)
    assert weight.grad is not None
    assert torch.equal(weight.grad, upstream)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("bits", [1, 2, 4])
def test_rounded_weights_keep_the_memory_format_of_the_weights(
    bits: int, method: WeightMethod
) -> None:
    # Also where the layouts differ in nothing but strides that are never used.
    for shape in ((8, 1, 3, 3), (8, 4, 3, 3)):
        weight = torch.empty(shape, memory_format=torch.channels_last).copy_(noise(*shape))
        assert weight_quantizer(weight, bits, method)(weight).stride() == weight.stride()


@pytest.mark.parametrize("scales", ["channel", "tensor"])
@pytest.mark.parametrize("bits", [2, 3, 4, 8])
def test_least_error_steps_lose_less_than_those_of_the_extremes(
    bits: int, scales: Granularity
) -> None:
    weight = noise(6, 200)
    weight[3] = weight[3].abs()

    def error(method: WeightMethod) -> Tensor:
        levels, step = weight_quantizer(weight, bits, method, scales).levels(weight)
        return (levels * step[:, None] - weight).square().sum(1)

    found = {method: error(method) for method in METHODS}
    for method, other in (("mse", "max"), ("affine_mse", "affine"), ("affine_mse", "mse")):
        ours, theirs = found[method], found[other]  # type: ignore[index]
        assert ours.sum() < (1.001 if bits == 8 else 1.0) * theirs.sum()


@pytest.mark.parametrize("bits", [2, 3])
def test_no_step_nearby_has_a_much_smaller_error(bits: int) -> None:
    weight = noise(6, 200)
    step, top = least_error_step(weight, bits)[0][:, None], 2 ** (bits - 1) - 1

    def error(step: Tensor) -> Tensor:
        return ((weight / step).round().clamp(-top, top) * step - weight).square().sum(1)

    for share in torch.linspace(0.6, 1.4, 41):
        assert (error(step) < 1.01 * error(step * share)).all()


def test_two_bits_have_four_levels_with_a_zero_point_of_their_channel() -> None:
    weight = torch.cat([noise(2, 300), noise(2, 300).abs(), -noise(1, 300).abs()])
    quantizer = weight_quantizer(weight, 2, "affine_mse")
    levels, _ = quantizer.levels(weight)
    assert quantizer.affine
    assert [len(row.unique()) for row in levels] == [4] * 5
    assert [int(row.min()) for row in levels[2:]] == [0, 0, -3]
    assert set(levels[:2].amin(1).tolist()) <= {-2.0, -1.0}


def test_affine_steps_have_the_gradient_of_what_they_round() -> None:
    weight = noise(4, 50).abs()
    quantizer = weight_quantizer(weight, 2, "affine_mse")
    assert isinstance(quantizer, LearnedStep)
    upstream = noise(4, 50, seed=1)
    values = weight.clone().requires_grad_()
    (quantizer(values) * upstream).sum().backward()
    levels, step = quantizer.levels(weight)
    assert torch.equal(quantizer(weight), levels * step[:, None])
    assert quantizer.zero is not None
    quotient = weight / step[:, None]
    low, high = -quantizer.zero[:, None] - 0.5, 3.5 - quantizer.zero[:, None]
    inside = (low < quotient) & (quotient < high)
    assert values.grad is not None
    assert torch.equal(values.grad, torch.where(inside, upstream, 0.0))
    of_step = torch.where(inside, levels - quotient, levels) * upstream
    assert quantizer.ratio.grad is not None
    assert torch.allclose(
        quantizer.ratio.grad, of_step.sum(1) * quantizer.first / 50**0.5, atol=1e-5
    )
