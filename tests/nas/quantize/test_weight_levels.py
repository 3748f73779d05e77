import pytest
import torch
from torch import Tensor

from nas.quantize.weight_levels import (
    MARGIN,
    Granularity,
    affine_levels,
    binary_levels,
    ternary_levels,
    top_level,
    weight_levels,
)

ROWS = torch.tensor([[0.5, -2.0, 1.0, 0.1], [-0.2, 0.4, 0.0, -0.1]])


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_a_4_bit_affine_quantizer_maps_one_half_to_3() -> None:
    levels, _ = affine_levels(torch.tensor([[-1.0, 0.5, 1.0]]), 4)
    # The first level is -8 when zero is -1; one half is four steps above zero.
    assert (levels - levels.min() - 8).tolist() == [[-8.0, 3.0, 6.0]]
    # Symmetric levels are 7 and half a step to one.
    assert weight_levels(torch.tensor([[0.5, 1.0, -1.0]]), 4)[0].tolist() == [[4.0, 7.0, -7.0]]


def test_affine_weights_by_hand() -> None:
    # Of 2 bits: a step below zero and two above it in the first row, three on one side in the
    # others.
    weight = torch.tensor([[-0.5, 0.9, 0.3, 0.0], [0.2, 0.7, 0.05, 0.0], [-0.7, 0.0, -0.35, -0.05]])
    levels, scale = affine_levels(weight, 2)
    assert levels.tolist() == [[-1, 2, 1, 0], [1, 3, 0, 0], [-3, 0, -2, 0]]
    assert scale.tolist() == pytest.approx([0.9 / 2.499, 0.7 / 3.499, 0.7 / 3.499])
    levels, scale = affine_levels(weight, 2, "tensor")
    assert scale.tolist() == pytest.approx(
        [0.7 / 1.499] * 3
    )  # with two steps below zero, it would be 0.9 / 1.499
    assert levels.tolist() == [[-1, 2, 1, 0], [0, 1, 0, 0], [-1, 0, -1, 0]]


def rows() -> Tensor:
    """Channels that lie around zero, to one side of it, or far from it, and one of zeros."""
    weight = noise(12, 200)
    weight += torch.tensor([0.0, 0.5, -0.5, 2.0, -2.0, 9.0, -9.0, 0.0, 0.0, 0.0, 0.0, 0.0])[:, None]
    weight[7], weight[8], weight[9] = weight[7].abs(), -weight[8].abs(), 0.0
    weight[10, 0], weight[11, 0] = 30.0, -30.0
    return weight


def least_scale(weight: Tensor, bits: int) -> float:
    """That of the best zero point, all of which are tried."""
    below, above = -min(float(weight.min()), 0.0), max(float(weight.max()), 0.0)
    top: int = 2**bits - 1
    return min(
        max(below / (zero + MARGIN), above / (top - zero + MARGIN)) for zero in range(top + 1)
    )


@pytest.mark.parametrize("bits", range(2, 9))
@pytest.mark.parametrize("scales", ["channel", "tensor"])
def test_affine_levels_cover_the_weights_and_zero_with_the_smallest_scale(
    bits: int, scales: Granularity
) -> None:
    weight = rows()
    levels, scale = affine_levels(weight, bits, scales)
    assert torch.equal(levels, levels.round())
    # No more than 2^bits in a row, of which 0 is one.
    counted = levels if scales == "channel" else levels.flatten()[None]
    assert (counted.amax(1).clamp_min(0) - counted.amin(1).clamp_max(0)).max() <= 2**bits - 1
    assert ((levels * scale[:, None] - weight).abs() <= 0.5001 * scale[:, None]).all()
    assert (levels[9] == 0).all()
    assert (
        affine_levels(torch.cat([weight, torch.zeros(12, 1)], 1), bits, scales)[0][:, -1] == 0
    ).all()
    expected = (
        [least_scale(row, bits) for row in weight]
        if scales == "channel"
        else [least_scale(weight, bits)] * 12
    )
    assert scale.tolist() == pytest.approx([max(value, 1e-30) for value in expected], rel=1e-5)
    assert (scale <= weight_levels(weight, bits, scales)[1].clamp_min(1e-30) * 1.00001).all()


@pytest.mark.parametrize("bits", range(2, 9))
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_weights_of_one_sign_have_all_levels_and_half_the_error(bits: int, sign: float) -> None:
    weight = sign * torch.rand(4, 2000, generator=torch.Generator().manual_seed(0))
    levels, scale = affine_levels(weight, bits)
    assert all(len(row.unique()) == 2**bits for row in levels)
    symmetric, wide = weight_levels(weight, bits)
    assert all(len(row.unique()) == 2 ** (bits - 1) for row in symmetric)
    error = (levels * scale[:, None] - weight).abs().mean() / (
        symmetric * wide[:, None] - weight
    ).abs().mean()
    assert error == pytest.approx((2 ** (bits - 1) - 0.5) / (2**bits - 0.5), abs=0.02)


def test_affine_levels_of_negated_weights_are_negated() -> None:
    weight = rows()
    for bits in (2, 4, 8):
        levels, scale = affine_levels(weight, bits)
        turned, same = affine_levels(-weight, bits)
        assert torch.equal(turned, -levels)
        assert torch.equal(same, scale)


def test_binary_weights_by_hand() -> None:
    levels, scale = binary_levels(ROWS)
    assert levels.tolist() == [[1, -1, 1, 1], [-1, 1, 1, -1]]  # zero counts as positive
    assert scale.tolist() == pytest.approx([0.9, 0.175])
    assert binary_levels(ROWS, granularity="tensor")[1].tolist() == pytest.approx([0.5375, 0.5375])


def test_ternary_weights_by_hand() -> None:
    # Thresholds 0.7 · 0.9 = 0.63 and 0.7 · 0.175 = 0.1225.
    levels, scale = ternary_levels(ROWS)
    assert levels.tolist() == [[0, -1, 1, 0], [-1, 1, 0, 0]]
    assert scale.tolist() == pytest.approx([1.5, 0.3])
    levels, scale = ternary_levels(ROWS, granularity="tensor")  # 0.7 · 0.5375
    assert levels.tolist() == [[1, -1, 1, 0], [0, 1, 0, 0]]
    assert scale.tolist() == pytest.approx([3.9 / 4] * 2)


def test_binary_weights_have_the_least_squared_error() -> None:
    weight = noise(1, 50)
    levels, scale = binary_levels(weight)
    best = (levels * scale - weight).square().sum()
    for other in (0.9 * scale, 1.1 * scale):
        assert (levels * other - weight).square().sum() > best


def test_ternary_weights_have_less_error_than_those_of_the_largest_magnitude() -> None:
    weight = noise(4, 500)

    def error(found: tuple[Tensor, Tensor]) -> float:
        return float((found[0] * found[1][:, None] - weight).square().sum())

    assert error(ternary_levels(weight)) < 0.5 * error(weight_levels(weight, 2))


@pytest.mark.parametrize("bits", range(2, 9))
@pytest.mark.parametrize("scales", ["channel", "tensor"])
def test_the_largest_magnitude_is_the_last_level(bits: int, scales: Granularity) -> None:
    weight = noise(5, 3, 3, 3)
    levels, scale = weight_levels(weight, bits, scales)
    assert levels.abs().max() == top_level(bits)
    assert (
        (levels * scale.view(5, 1, 1, 1) - weight).abs() <= 0.5001 * scale.view(5, 1, 1, 1)
    ).all()
    largest = weight.abs().flatten(1).amax(1)
    expected = largest if scales == "channel" else largest.max().repeat(5)
    assert torch.allclose(scale, expected / (top_level(bits) + 0.499))


@pytest.mark.parametrize("bits", range(2, 9))
def test_without_a_margin_the_largest_weight_keeps_its_value(bits: int) -> None:
    weight = noise(5, 40)
    levels, scale = weight_levels(weight, bits, margin=0.0)
    largest = weight.abs().argmax(1, keepdim=True)
    assert torch.allclose((levels * scale[:, None]).gather(1, largest), weight.gather(1, largest))


@pytest.mark.parametrize("scales", ["channel", "tensor"])
def test_channels_of_zeros_have_finite_scales(scales: Granularity) -> None:
    weight = torch.zeros(2, 3)
    assert (weight_levels(weight, 4, scales)[0] == 0).all()
    assert (affine_levels(weight, 4, scales)[0] == 0).all()
    assert (ternary_levels(weight, granularity=scales)[0] == 0).all()
    assert (binary_levels(weight, granularity=scales)[0] == 1).all()
    known = (weight_levels(weight, 4, scales), affine_levels(weight, 4, scales))
    for levels, scale in (
        *known,
        ternary_levels(weight, 2, scales),
        binary_levels(weight, 1, scales),
    ):
        assert levels.isfinite().all()
        assert (scale > 0).all()
        assert (levels * scale[:, None]).abs().max() < 1e-20


def test_the_largest_level_of_each_bit_width() -> None:
    assert [top_level(bits) for bits in range(1, 9)] == [1, 1, 3, 7, 15, 31, 63, 127]
