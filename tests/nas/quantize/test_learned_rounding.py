from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from nas.quantize.activation_quantizers import ActivationQuantizer
from nas.quantize.learned_rounding import (
    SMALLEST_RATIO,
    first_step,
    gradient_scale,
    learned_clip,
    learned_step,
    learned_steps,
)

DELTA = 1e-6


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def slope(function: Callable[[Tensor], Tensor], at: Tensor) -> Tensor:
    """The gradient of a scalar function by central differences."""
    found = torch.zeros(at.shape, dtype=at.dtype)
    for index in range(at.numel()):
        moved = torch.zeros_like(at).flatten()
        moved[index] = DELTA
        above, below = (function(at + sign * moved.view_as(at)) for sign in (1.0, -1.0))
        found.view(-1)[index] = (above - below) / (2 * DELTA)
    return found


def gradient(output: Tensor, upstream: Tensor, *inputs: Tensor) -> tuple[Tensor, ...]:
    return torch.autograd.grad((output * upstream).sum(), inputs)


# Values well inside and well outside of any clip, none of them where it begins.
VALUES = torch.cat([0.4 * noise(40), 9.0 + noise(10, seed=1).abs(), -9.0 - noise(10, seed=2).abs()])
UPSTREAM = noise(60, seed=3)


def test_the_straight_through_gradient_is_that_of_the_clip_alone() -> None:
    module = ActivationQuantizer(8).eval()
    module.set_ends(-2.0, 3.0)
    x = VALUES.clone().requires_grad_()
    (found,) = gradient(module(x), UPSTREAM, x)
    expected = slope(lambda x: (x.clamp(-2.0, 3.0) * UPSTREAM).sum(), VALUES)
    assert torch.allclose(found, expected, atol=1e-6)
    assert (found[:40] != 0).all()
    assert (found[40:] == 0).all()


def test_a_rectified_range_has_the_gradient_of_a_relu_and_a_clip() -> None:
    module = ActivationQuantizer(8, rectified=True).eval()
    module.set_ends(0.0, 3.0)
    x = VALUES.clone().requires_grad_()
    output = module(x)
    (found,) = gradient(output, UPSTREAM, x)
    assert torch.allclose(
        found, slope(lambda x: (x.clamp(0.0, 3.0) * UPSTREAM).sum(), VALUES), atol=1e-6
    )
    assert torch.equal(output, module(VALUES.relu()))


def stepped(x: Tensor, step: Tensor, upstream: Tensor, low: float) -> Tensor:
    """A sum that has the gradients of a learned step, by the rounding held where it is not clipped."""
    held = ((x / step).round() - x / step).detach()

    def surrogate(x: Tensor, step: Tensor) -> Tensor:
        # Up to half a step beyond the last levels nothing is clipped yet.
        inside = (x / step > low - 0.5) & (x / step < 7.5)
        return (
            torch.where(inside, x / step + held, (x / step).clamp(low, 7)) * step * upstream
        ).sum()

    return torch.cat(
        [
            slope(lambda x: surrogate(x, step), x).flatten(),
            slope(lambda step: surrogate(x, step), step).flatten(),
        ]
    )


@pytest.mark.parametrize("low", [-7, 0])
@pytest.mark.parametrize("layout", ["flat", "channels last", "strided"])
def test_the_gradients_of_a_learned_step_are_those_of_clipping_with_constant_rounding_errors(
    low: int, layout: str
) -> None:
    x, upstream, step = VALUES, UPSTREAM, torch.tensor(0.3, dtype=torch.float64)
    if layout == "channels last":
        x, upstream = (
            values.view(5, 2, 3, 2).to(memory_format=torch.channels_last)
            for values in (x, upstream)
        )
    if layout == "strided":
        x, upstream = x.view(30, 2), upstream.view(2, 30).t()
    leaves = x.clone().requires_grad_(), step.clone().requires_grad_()
    found = gradient(learned_step(*leaves, step.item(), low, 7, 0.25), upstream, *leaves)
    expected = stepped(x, step, upstream, low)
    assert torch.allclose(found[0].flatten(), expected[:-1], atol=1e-5)
    assert found[1].item() == pytest.approx(0.25 * expected[-1].item(), abs=1e-5)
    assert found[1] != 0


@pytest.mark.parametrize("low", [-7, 0])
def test_the_gradients_of_a_step_for_each_channel(low: int) -> None:
    x = (VALUES[:, None] * torch.tensor([1.0, 0.5, -1.0], dtype=torch.float64)).t().contiguous()
    upstream, first, ratio = (
        noise(3, 60, seed=4),
        noise(3, seed=5).abs() + 0.2,
        noise(3, seed=6).abs() + 0.5,
    )
    leaves = x.clone().requires_grad_(), ratio.clone().requires_grad_()
    of_x, of_ratio = gradient(learned_steps(*leaves, first, low, 7, 0.25), upstream, *leaves)
    expected = stepped(x, (first * ratio)[:, None], upstream, low)
    assert torch.allclose(of_x.flatten(), expected[:-3], atol=1e-5)
    assert torch.allclose(of_ratio, 0.25 * first * expected[-3:], atol=1e-5)
    assert (of_ratio != 0).all()


def test_a_ratio_below_the_smallest_counts_as_the_smallest() -> None:
    x, ratio = (
        torch.tensor([[0.5, 9.0], [0.5, 9.0]]),
        torch.tensor([1.0, 0.5 * SMALLEST_RATIO], requires_grad=True),
    )
    output = learned_steps(x, ratio, torch.tensor([1.0, 1.0]), -3, 3, 1.0)
    assert output[1].tolist() == pytest.approx([3 * SMALLEST_RATIO, 3 * SMALLEST_RATIO])
    (of_ratio,) = gradient(output, torch.ones(2, 2), ratio)
    assert of_ratio[0] != 0
    assert of_ratio[1] == 0


def test_a_learned_step_rounds_to_its_multiples() -> None:
    x = torch.tensor([-9.0, -0.4, 0.26, 0.24, 0.8, 9.0])
    assert learned_step(x, torch.tensor(1.0), 0.5, -3, 3, 1.0).tolist() == [
        -1.5,
        -0.5,
        0.5,
        0.0,
        1.0,
        1.5,
    ]


def test_the_gradients_of_a_learned_step_by_hand() -> None:
    # Inside level - x / step, outside the last level: (1 - 0.8) + 3 + -3 · 2, all times 1 / √(N ·
    # Q).
    x, step = torch.tensor([0.4, 7.0, -7.0]), torch.tensor(0.5, requires_grad=True)
    output = learned_step(x, step, 0.5, -3, 3, gradient_scale(3, 3))
    (of_step,) = gradient(output, torch.tensor([1.0, 1.0, 2.0]), step)
    assert of_step.item() == pytest.approx((0.2 + 3 - 6) / 3.0)


def test_the_scale_of_gradients_and_the_first_step_by_hand() -> None:
    assert gradient_scale(25, 4) == 0.1
    assert first_step(torch.tensor(0.6), 9).item() == pytest.approx(2 * 0.6 / 3)


@pytest.mark.parametrize("rectified", [False, True])
def test_clipped_elements_give_their_gradient_to_the_end_of_the_range(rectified: bool) -> None:
    low, high = (
        torch.tensor(0.0 if rectified else -2.0, dtype=torch.float64),
        torch.tensor(3.0, dtype=torch.float64),
    )
    scale = float(high - low) / 255
    zero = round(-float(low) / scale)
    x, learnt = (
        VALUES.clone().requires_grad_(),
        torch.ones(2, dtype=torch.float64, requires_grad=True),
    )
    output = learned_clip(x, learnt, scale, zero, 255, (1.0, 2.0), rectified)
    of_x, (of_high, of_low) = gradient(output, UPSTREAM, x, learnt)
    assert torch.allclose(
        of_x, slope(lambda x: (x.clamp(low, high) * UPSTREAM).sum(), VALUES), atol=1e-6
    )
    assert torch.allclose(
        of_high, slope(lambda high: (VALUES.clamp(low, high) * UPSTREAM).sum(), high), atol=1e-6
    )
    assert torch.allclose(
        of_low, 2.0 * slope(lambda low: (VALUES.clamp(low, high) * UPSTREAM).sum(), low), atol=1e-6
    )
    assert of_high.item() == pytest.approx(UPSTREAM[40:50].sum().item())
    assert (output - VALUES.clamp(low, high)).abs().max() <= 0.5001 * scale


def test_zeros_are_not_clipped_by_a_range_from_zero() -> None:
    x, learnt = torch.zeros(5, requires_grad=True), torch.ones(2, requires_grad=True)
    output = learned_clip(x, learnt, 1 / 255, zero=0, top=255, slopes=(1.0, 1.0), rectified=False)
    of_x, of_ends = gradient(output, torch.ones(5), x, learnt)
    assert of_ends.tolist() == [0.0, 0.0]
    assert of_x.tolist() == [1.0] * 5
