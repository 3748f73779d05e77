import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from compressors.quantization import ActivationRange, Quantization, QuantizedConv2d, QuantizedLinear, quantize_weight
from nas.seeds import seeded

ALL_BITS = range(2, 9)


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


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
    """Which multiples of its step the quantised weights are."""
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


def calibrated(low: float, high: float, bits: int) -> ActivationRange:
    module = ActivationRange(bits).eval()
    module.observe(torch.tensor([low, high]), 1.0)
    return module


@pytest.mark.parametrize("bits", ALL_BITS)
@pytest.mark.parametrize("shape", [(5, 300), (4, 7, 3, 3)])
def test_weights_lie_on_symmetric_levels_of_their_channel(bits: int, shape: tuple[int, ...]) -> None:
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
def test_quantising_again_keeps_the_levels(bits: int) -> None:
    weight = noise(6, 50)
    once = quantize_weight(weight, bits)
    twice = quantize_weight(once, bits)
    assert torch.equal(levels(twice, once, bits), levels(once, weight, bits))


@pytest.mark.parametrize("bits", ALL_BITS)
@pytest.mark.parametrize("factor", [2.0, -0.25, 3.7, -1e-3, 1e4])
def test_a_scaled_channel_is_quantised_to_its_scaled_levels(bits: int, factor: float) -> None:
    weight, factors = noise(3, 40), torch.tensor([[1.0], [factor], [-1.0]])
    assert torch.allclose(quantize_weight(factors * weight, bits), factors * quantize_weight(weight, bits), rtol=1e-5)


@pytest.mark.parametrize("bits", [2, 4, 8])
@pytest.mark.parametrize("kind", ["conv", "depthwise", "linear"])
def test_folding_batch_normalisation_and_quantising_again_changes_nothing(bits: int, kind: str) -> None:
    with seeded(0):
        layers = {"conv": nn.Conv2d(6, 6, 3, bias=False), "depthwise": nn.Conv2d(6, 6, 3, groups=6), "linear": nn.Linear(6, 6)}
        layer = layers[kind]
        norm = nn.BatchNorm1d(6) if kind == "linear" else nn.BatchNorm2d(6)
        # Gains of both signs.
        nn.init.normal_(norm.weight)
        nn.init.normal_(norm.bias)
        assert norm.running_mean is not None
        assert norm.running_var is not None
        norm.running_mean.normal_()
        norm.running_var.uniform_(0.3, 3.0)
    assert isinstance(layer, (nn.Conv2d, nn.Linear))
    inputs = noise(8, 6) if kind == "linear" else noise(8, 6, 7, 7)
    folded = copy.deepcopy(layer)
    gain = (norm.weight / (norm.running_var + norm.eps).sqrt()).detach()
    shift = -norm.running_mean if layer.bias is None else layer.bias.detach() - norm.running_mean
    folded.weight = nn.Parameter(layer.weight.detach() * gain.reshape(-1, *[1] * (layer.weight.ndim - 1)))
    folded.bias = nn.Parameter(norm.bias.detach() + gain * shift)
    trained = Quantization().apply(nn.Sequential(layer, norm), {"0": bits}, inputs)
    stored = Quantization().apply(nn.Sequential(folded), {"0": bits}, inputs)
    assert torch.allclose(trained(inputs), stored(inputs), atol=1e-4)


@pytest.mark.parametrize("bits", ALL_BITS)
@pytest.mark.parametrize(("low", "high"), [(-1.3, 2.9), (0.0, 5.0), (-4.0, 0.0), (-1e-3, 7.0), (-100.0, 0.01)])
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
    # Rounding moves the ends by up to half a step, and up to half a step beyond the last level nothing is clipped.
    inside = torch.linspace(-1.0 + step, 3.0 - step, 50)
    outside = torch.cat([torch.linspace(-20.0, -1.0 - 1.01 * step, 20), torch.linspace(3.0 + 1.01 * step, 20.0, 20)])
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


def test_the_range_moves_in_training_and_rests_in_evaluation() -> None:
    module = calibrated(-1.0, 3.0, 8).train()
    module(torch.tensor([-5.0, 1.0]))
    assert (module.low.item(), module.high.item()) == pytest.approx((-1.2, 2.9))
    module(torch.tensor([2.0, 4.9]))  # zero stays within
    assert (module.low.item(), module.high.item()) == pytest.approx((-1.14, 3.0))
    module.eval()
    module(torch.tensor([-50.0, 50.0]))
    assert (module.low.item(), module.high.item()) == pytest.approx((-1.14, 3.0))


def network() -> nn.Sequential:
    with seeded(0):
        model = nn.Sequential()
        model.add_module("a", nn.Conv2d(2, 4, 3, bias=False))
        model.add_module("b", nn.Sequential(nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 3, 1), nn.Flatten()))
        model.add_module("head", nn.Linear(48, 3))
        return model


IMAGES = noise(8, 2, 6, 6)


def test_the_range_is_that_of_exactly_the_batch_given() -> None:
    model = network()
    before = copy.deepcopy(model.state_dict())
    quantized = Quantization().apply(model, {"": 4}, IMAGES)
    first: Any = quantized.get_submodule("a.input_range")
    assert (first.low, first.high) == (IMAGES.min(), IMAGES.max())
    # Behind a ReLU the range begins at zero, and what is seen there is what the quantised layer before it gives.
    second: Any = quantized.get_submodule("b.2.input_range")
    seen = quantized.get_submodule("b.1")(quantized.get_submodule("b.0")(quantized.get_submodule("a")(IMAGES)))
    assert (second.low, second.high) == (0.0, seen.max())
    # Calibration is no training.
    assert all(torch.equal(before[name], tensor) for name, tensor in quantized.state_dict().items() if name in before)
    again: Any = Quantization().apply(network(), {"": 4}, 0.5 * IMAGES).get_submodule("a.input_range")
    assert (again.low, again.high) == (0.5 * IMAGES.min(), 0.5 * IMAGES.max())


def test_calibrating_again_forgets_the_earlier_batch() -> None:
    quantized = Quantization().apply(network(), {"": 4}, 10.0 * IMAGES)
    again: Any = Quantization().apply(quantized, {"head": 4}, IMAGES).get_submodule("a.input_range")
    assert (again.low, again.high) == (IMAGES.min(), IMAGES.max())


@pytest.mark.parametrize("settings", [{"": 8, "b": 4, "b.2": 2}, {"b.2": 2, "b": 4, "": 8}, {"b.2": 2, "": 8}])
def test_the_inner_site_decides(settings: dict[str, int]) -> None:
    quantized = Quantization().apply(network(), settings, IMAGES)
    assert {
        name: layer.bits for name, layer in quantized.named_modules() if isinstance(layer, (QuantizedConv2d, QuantizedLinear))
    } == {
        "a": 8,
        "b.2": 2,
        "head": 8,
    }


def test_only_the_chosen_layers_are_quantised() -> None:
    quantized = Quantization().apply(network(), {"a": 4}, IMAGES)
    assert isinstance(quantized.get_submodule("a"), QuantizedConv2d)
    assert type(quantized.get_submodule("b.2")) is nn.Conv2d
    assert type(quantized.get_submodule("head")) is nn.Linear


@pytest.mark.parametrize("factor", [100.0, 0.01])
@pytest.mark.parametrize("site", ["mix", "tail", ""])
def test_a_layer_that_is_used_twice_is_quantised_once_with_the_range_of_both_uses(factor: float, site: str) -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            with seeded(0):
                self.mix = nn.Linear(4, 4)
            self.tail = nn.Sequential(self.mix)

        def forward(self, x: Tensor) -> Tensor:
            y: Tensor = self.tail(factor * self.mix(x))
            return y

    inputs = noise(8, 4)
    model = Quantization().apply(Twice(), {site: 8}, inputs)
    layer: Any = model.get_submodule("mix")
    assert isinstance(layer, QuantizedLinear)
    assert model.get_submodule("tail.0") is layer
    if factor > 1:
        assert layer.input_range.high > 10 * inputs.max()
    else:
        assert (layer.input_range.low, layer.input_range.high) == (inputs.min(), inputs.max())


@pytest.mark.parametrize("bits", [1, 9, 0, -4, True, False, 4.0, "4", None])
def test_other_bit_widths_are_refused_with_their_site(bits: Any) -> None:
    with pytest.raises(ValueError, match=rf"bits must be one of \(2, .*, 8\), but got {bits!r} at 'b.2'"):
        Quantization().apply(network(), {"a": 4, "b.2": bits}, IMAGES)
    with pytest.raises(ValueError, match=f"but got {bits!r} at 'activations'"):
        Quantization(activation_bits=bits)


def test_a_site_that_is_not_there_is_refused() -> None:
    with pytest.raises(ValueError, match=r"must name a module of the network, .* but got 'c'"):
        Quantization().apply(network(), {"c": 4}, IMAGES)


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
def test_a_convolution_keeps_its_geometry(geometry: dict[str, Any]) -> None:
    inputs = noise(4, 6, 8, 8)
    with seeded(0):
        layer = nn.Conv2d(**{"in_channels": 6, "out_channels": 6, "kernel_size": 3, **geometry})
    expected = copy.deepcopy(layer)
    with torch.no_grad():
        expected.weight.copy_(quantize_weight(layer.weight, 4))
    rounded = calibrated(float(inputs.min()), float(inputs.max()), 8)(inputs)
    quantized = Quantization().apply(nn.Sequential(layer), {"0": 4}, inputs)
    assert torch.equal(quantized(inputs), expected(rounded))
    made = quantized.get_submodule("0")
    for name in ("stride", "padding", "dilation", "groups", "padding_mode", "kernel_size", "in_channels", "out_channels"):
        assert getattr(made, name) == getattr(layer, name)
    assert (made.bias is None) == (layer.bias is None)


@pytest.mark.parametrize("bias", [True, False])
def test_a_linear_layer_computes_with_quantised_values(bias: bool) -> None:
    inputs = noise(4, 6)
    with seeded(0):
        layer = nn.Linear(6, 5, bias)
    rounded = calibrated(float(inputs.min()), float(inputs.max()), 8)(inputs)
    expected = nn.functional.linear(rounded, quantize_weight(layer.weight, 3), layer.bias)
    quantized = Quantization().apply(nn.Sequential(layer), {"0": 3}, inputs)
    assert torch.equal(quantized(inputs), expected)
    assert (quantized.get_submodule("0").bias is None) == (not bias)


def test_the_trained_weights_go_on_being_trained() -> None:
    model = network()
    before = dict(model.named_parameters())
    quantized = Quantization().apply(model, {"": 4}, IMAGES)
    assert dict(quantized.named_parameters()).keys() == before.keys()
    assert all(quantized.get_parameter(name) is parameter for name, parameter in before.items())
    quantized.train()
    labels, losses = torch.arange(8) % 3, []
    optimizer = torch.optim.SGD(quantized.parameters(), lr=0.2)
    for _ in range(15):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(quantized(IMAGES), labels)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.7 * losses[0]
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in quantized.parameters())


def test_more_bits_are_closer_to_the_floats() -> None:
    expected = network().eval()(IMAGES)
    errors = [(Quantization().apply(network(), {"": bits}, IMAGES)(IMAGES) - expected).norm().item() for bits in (2, 4, 6, 8)]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 0.03 * expected.norm()
    coarse = Quantization(activation_bits=2).apply(network(), {"": 8}, IMAGES)(IMAGES)
    assert (coarse - expected).norm() > 3 * errors[-1]


def test_the_bits_that_a_layer_stores() -> None:
    quantized = Quantization().apply(network(), {"a": 3, "head": 5}, IMAGES)
    conv, head = quantized.get_submodule("a"), quantized.get_submodule("head")
    assert isinstance(conv, QuantizedConv2d)
    assert isinstance(head, QuantizedLinear)
    assert conv.stored_bits() == {"weights": 72 * 3, "scales": 4 * 32, "biases": 4 * 32, "activation range": 40}
    assert head.stored_bits() == {"weights": 144 * 5, "scales": 3 * 32, "biases": 3 * 32, "activation range": 40}
