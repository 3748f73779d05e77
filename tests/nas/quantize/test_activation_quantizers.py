import pytest
import torch
from torch import Tensor, nn

from nas.quantize import ActivationQuantizer

ALL_BITS = range(2, 9)


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def distinct(values: Tensor) -> list[float]:
    """The different values, in rising order."""
    return sorted(set(values.flatten().tolist()))


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
@pytest.mark.parametrize(
    ("low", "high"), [(-1.3, 2.9), (0.0, 5.0), (-4.0, 0.0), (-1e-3, 7.0), (-100.0, 0.01)]
)
def test_activations_lie_on_levels_and_zero_is_a_level(bits: int, low: float, high: float) -> None:
    module = calibrated(low, high, bits)
    x = torch.linspace(low - 2.0, high + 2.0, 5001)
    quantized = module(x)
    assert len(distinct(quantized)) == 2**bits
    assert module(torch.zeros(3)).tolist() == [0.0, 0.0, 0.0]
    gaps = torch.tensor(distinct(quantized)).diff()
    assert torch.allclose(gaps, torch.full_like(gaps, (high - low) / (2**bits - 1)), rtol=1e-3)
    assert torch.equal(module(quantized), quantized)


@pytest.mark.parametrize("bits", ALL_BITS)
def test_rounding_moves_activations_inside_the_range_by_at_most_half_a_step(bits: int) -> None:
    for low, high in ((-1.3, 2.9), (0.0, 5.0), (-4.0, 0.0), (-1.0, 1.0)):
        x = torch.linspace(low, high, 1001)
        error = (calibrated(low, high, bits)(x) - x).abs()
        assert error.max() <= 0.5001 * (high - low) / (2**bits - 1)


@pytest.mark.parametrize("bits", ALL_BITS)
def test_activations_outside_of_the_range_are_clipped_to_its_ends(bits: int) -> None:
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


def test_all_zero_activations_stay_zero_with_a_finite_gradient() -> None:
    module = calibrated(0.0, 0.0, 8)
    assert module(torch.zeros(4)).tolist() == [0.0] * 4
    gradient, _ = passed(module, torch.zeros(4))
    assert gradient.isfinite().all()
    assert module(torch.tensor([1.0])).isfinite().all()


def test_the_range_widens_at_once_shrinks_slowly_and_is_fixed_in_evaluation() -> None:
    module = calibrated(-1.0, 3.0, 8).train()
    module(torch.tensor([-5.0, 1.0]))
    assert (module.low.item(), module.high.item()) == pytest.approx((-5.0, 2.98))
    module(torch.tensor([2.0, 4.9]))  # zero stays within
    assert (module.low.item(), module.high.item()) == pytest.approx((-4.95, 4.9))
    module.eval()
    module(torch.tensor([-50.0, 50.0]))
    assert (module.low.item(), module.high.item()) == pytest.approx((-4.95, 4.9))


@pytest.mark.parametrize("bits", ALL_BITS)
def test_the_scale_and_zero_point_describe_the_rounded_values(bits: int) -> None:
    module = calibrated(-1.3, 2.9, bits)
    scale, zero = module.levels()
    assert module.top == 2**bits - 1
    said = module(torch.linspace(-3.0, 5.0, 5001))
    assert torch.equal(said, said.div(scale).round() * scale)
    assert (said.div(scale).round() + zero).unique().tolist() == list(range(2**bits))
    # What a file stores is a 32-bit float.
    assert torch.tensor(scale, dtype=torch.float32).item() == scale
