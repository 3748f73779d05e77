import pytest
import torch
from torch import Tensor, nn

from nas.quantize import ActivationQuantizer, calibrate, insert_quantizers
from nas.quantize.calibrate import (
    RANGE_METHODS,
    RangeEstimator,
    mean_magnitude,
    minmax,
    moving_average,
    percentile,
    squared_error,
)
from nas.seeds import seeded


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def ends(model: nn.Module) -> dict[str, tuple[float, float]]:
    found = (
        (name, module)
        for name, module in model.named_modules()
        if isinstance(module, ActivationQuantizer)
    )
    return {
        name.removeprefix("ranges."): (module.low.item(), module.high.item())
        for name, module in found
    }


def test_minmax_keeps_everything() -> None:
    assert minmax(torch.tensor([3.0, -2.0, 7.5]), 256) == (-2.0, 7.5)


def test_percentiles_by_hand() -> None:
    values = torch.arange(1001.0).flip(0)
    assert percentile(values, 256, share=0.99) == (10.0, 990.0)
    assert percentile(values, 256) == (1.0, 999.0)
    assert percentile(values, 256, share=1.0) == (0.0, 1000.0)
    assert percentile(torch.tensor([5.0]), 256) == (5.0, 5.0)


def test_the_squared_error_by_hand() -> None:
    # Of 100 values on whole numbers, all of them levels of the whole range: nothing is to be
    # gained.
    assert squared_error(torch.arange(4.0).repeat(25), 4) == (0.0, 3.0)
    # One value far out costs more in rounding all others than in clipping it.
    values = torch.cat([torch.linspace(0.0, 1.0, 2000), torch.tensor([2.0])])
    low, high = squared_error(values, 4)
    assert low == 0.0
    assert 0.7 < high < 1.4


@pytest.mark.parametrize("levels", [4, 16, 256])
def test_the_squared_error_is_never_above_that_of_the_whole_range(levels: int) -> None:
    values = noise(4000) ** 3

    def error(low: float, high: float) -> float:
        scale = (high - low) / (levels - 1)
        return float(
            (
                (values / scale).round().clamp(round(low / scale), round(high / scale)) * scale
                - values
            )
            .square()
            .mean()
        )

    low, high = squared_error(values, levels)
    whole = minmax(values, levels)
    assert whole[0] <= low < 0.0 < high <= whole[1]
    assert error(low, high) <= error(*whole)
    assert high / whole[1] == pytest.approx(low / whole[0])


def test_all_zero_values_have_a_range() -> None:
    assert squared_error(torch.zeros(5), 256) == (0.0, 0.0)


def test_the_moving_average_by_hand() -> None:
    values = torch.tensor([-1.0, 4.0, -3.0, 2.0, -3.0, 6.0])
    low, high = moving_average(values, 256, parts=3, momentum=0.1)
    assert (low, high) == pytest.approx((-1.0 - 0.2 - 0.18, 4.0 - 0.2 + 0.22))
    # Extremes that come rarely count little.
    assert moving_average(torch.cat([noise(1600), torch.tensor([100.0])]), 256)[1] < 20.0
    assert moving_average(torch.tensor([5.0]), 256) == (5.0, 5.0)


def test_the_mean_magnitude_by_hand() -> None:
    # 2 · 1.5 / √255 a level, of which all 255 are above zero.
    low, high = mean_magnitude(torch.tensor([0.0, 3.0]), 256)
    assert (low, high) == pytest.approx((0.0, 3.0 / 255**0.5 * 255))
    # One level in three is below zero: Q = 2.
    low, high = mean_magnitude(torch.tensor([-1.0, 2.0]), 4)
    assert (low, high) == pytest.approx((-3.0 / 2**0.5, 2 * 3.0 / 2**0.5))


@pytest.mark.parametrize("method", RANGE_METHODS.values())
def test_every_estimator_accepts_all_zero_values(method: RangeEstimator) -> None:
    assert method(torch.zeros(50), 256) == (0.0, 0.0)


@pytest.mark.parametrize("method", RANGE_METHODS.values())
def test_every_range_holds_zero(method: RangeEstimator) -> None:
    model = insert_quantizers(nn.Sequential(nn.Flatten()), 8)
    for inputs in (noise(50, 4).abs() + 1.0, -noise(50, 4).abs() - 1.0):
        calibrate(model, inputs, method)
        (low, high), *_ = ends(model).values()
        assert low <= 0.0 <= high
        assert high > 1.0 or low < -1.0


def test_ranges_are_those_of_unrounded_values_and_replace_earlier_ones() -> None:
    with seeded(0):
        floats = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3)).eval()
    model = insert_quantizers(floats, 2)
    calibrate(model, 100.0 * noise(32, 4))
    calibrate(model, noise(32, 4))
    inner = floats[1](floats[0](noise(32, 4)))
    wanted = {"input_1": noise(32, 4), "_1": inner, "_2": floats[2](inner)}
    assert ends(model) == {
        name: (min(said.min().item(), 0.0), max(said.max().item(), 0.0))
        for name, said in wanted.items()
    }


def test_a_shared_quantizer_has_the_range_of_all_its_tensors() -> None:
    class Residual(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            with seeded(0):
                self.a, self.b = nn.Linear(4, 4), nn.Linear(4, 4)

        def forward(self, x: Tensor) -> Tensor:
            y: Tensor = self.a(x)
            z: Tensor = self.b(y)
            return y + z

    floats = Residual().eval()
    model = insert_quantizers(floats, 8)
    calibrate(model, noise(64, 4))
    first = floats.a(noise(64, 4))
    served = torch.cat([first, floats.b(first), first + floats.b(first)])
    assert len(ends(model)) == 2
    assert list(ends(model).values())[1] == (served.min().item(), served.max().item())


def test_calibration_does_not_train() -> None:
    floats = nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5), nn.ReLU()).train()
    model = insert_quantizers(floats, 8)
    before = {name: tensor.clone() for name, tensor in floats.state_dict().items()}
    calibrate(model, noise(32, 4))
    assert all(torch.equal(before[name], tensor) for name, tensor in floats.state_dict().items())
    assert not any(module.training for module in model.modules())
    # No hook is left behind: values are rounded again.
    assert len(model(noise(300, 4)).unique()) <= 256
