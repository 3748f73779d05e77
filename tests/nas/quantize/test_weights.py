import pytest
import torch
from torch import Tensor

from nas.quantize.weights import Scales, affine_levels, binary_levels, ternary_levels, top_level, weight_levels

ROWS = torch.tensor([[0.5, -2.0, 1.0, 0.1], [-0.2, 0.4, 0.0, -0.1]])


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_a_4_bit_affine_quantiser_maps_one_half_to_3() -> None:
    # From -1, which is level -8, one half is 1.5 / (2 / 15) = 11.25 steps away: level -8 + 11.
    assert affine_levels(torch.tensor([-1.0, 0.5, 1.0, -3.0, 3.0]), -1.0, 1.0, 4).tolist() == [-8.0, 3.0, 7.0, -8.0, 7.0]
    # The levels of weights are symmetric: 7 of them and half a step to one.
    assert weight_levels(torch.tensor([[0.5, 1.0, -1.0]]), 4)[0].tolist() == [[4.0, 7.0, -7.0]]


def test_an_affine_range_must_have_a_width() -> None:
    with pytest.raises(ValueError, match=r"low end below its high end, but got 1.0 and 1.0"):
        affine_levels(ROWS, 1.0, 1.0, 4)


def test_binary_weights_by_hand() -> None:
    levels, scale = binary_levels(ROWS)
    assert levels.tolist() == [[1, -1, 1, 1], [-1, 1, 1, -1]]  # zero counts as positive
    assert scale.tolist() == pytest.approx([0.9, 0.175])
    assert binary_levels(ROWS, scales="tensor")[1].tolist() == pytest.approx([0.5375, 0.5375])


def test_ternary_weights_by_hand() -> None:
    # Thresholds 0.7 · 0.9 = 0.63 and 0.7 · 0.175 = 0.1225.
    levels, scale = ternary_levels(ROWS)
    assert levels.tolist() == [[0, -1, 1, 0], [-1, 1, 0, 0]]
    assert scale.tolist() == pytest.approx([1.5, 0.3])
    levels, scale = ternary_levels(ROWS, scales="tensor")  # 0.7 · 0.5375
    assert levels.tolist() == [[1, -1, 1, 0], [0, 1, 0, 0]]
    assert scale.tolist() == pytest.approx([3.9 / 4] * 2)


def test_binary_weights_are_the_nearest_of_their_kind() -> None:
    weight = noise(1, 50)
    levels, scale = binary_levels(weight)
    best = (levels * scale - weight).square().sum()
    for other in (0.9 * scale, 1.1 * scale):
        assert (levels * other - weight).square().sum() > best


def test_ternary_weights_are_nearer_than_those_of_the_largest_magnitude() -> None:
    weight = noise(4, 500)

    def error(found: tuple[Tensor, Tensor]) -> float:
        return float((found[0] * found[1][:, None] - weight).square().sum())

    assert error(ternary_levels(weight)) < 0.5 * error(weight_levels(weight, 2))


@pytest.mark.parametrize("bits", range(2, 9))
@pytest.mark.parametrize("scales", ["channel", "tensor"])
def test_the_largest_magnitude_is_the_last_level(bits: int, scales: Scales) -> None:
    weight = noise(5, 3, 3, 3)
    levels, scale = weight_levels(weight, bits, scales)
    assert levels.abs().max() == top_level(bits)
    assert ((levels * scale.view(5, 1, 1, 1) - weight).abs() <= 0.5001 * scale.view(5, 1, 1, 1)).all()
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
def test_channels_of_zeros_have_finite_scales(scales: Scales) -> None:
    weight = torch.zeros(2, 3)
    assert (weight_levels(weight, 4, scales)[0] == 0).all()
    assert (ternary_levels(weight, scales=scales)[0] == 0).all()
    assert (binary_levels(weight, scales=scales)[0] == 1).all()
    for levels, scale in (weight_levels(weight, 4, scales), ternary_levels(weight, 2, scales), binary_levels(weight, 1, scales)):
        assert levels.isfinite().all()
        assert (scale > 0).all()
        assert (levels * scale[:, None]).abs().max() < 1e-20


def test_the_largest_level_of_each_bit_width() -> None:
    assert [top_level(bits) for bits in range(1, 9)] == [1, 1, 3, 7, 15, 31, 63, 127]
