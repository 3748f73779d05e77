import copy
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from compressors.quantization import Quantization, quantize
from nas.lowering import lower, lower_all_channels, snapped
from nas.packed import flash_bytes, pack, unpack
from nas.program import Layer, logits
from nas.quantize import ActivationQuantizer, QuantizedConv2d, QuantizedLinear, UnsupportedError
from nas.quantize.weight_levels import Granularity
from nas.quantize.weight_quantizers import WeightMethod
from nas.seeds import seeded
from nas.space import Choice, Choices, Design
from nas.testing.compressor import check_compressor


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("bits", [2, 4, 8])
@pytest.mark.parametrize("kind", ["conv", "depthwise", "linear"])
@pytest.mark.parametrize("weights", ["max", "affine"])
def test_folding_batch_normalization_and_quantizing_again_changes_nothing(
    bits: int, kind: str, weights: WeightMethod
) -> None:
    with seeded(0):
        layers = {
            "conv": nn.Conv2d(6, 6, 3, bias=False),
            "depthwise": nn.Conv2d(6, 6, 3, groups=6),
            "linear": nn.Linear(6, 6),
        }
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
    folded.weight = nn.Parameter(
        layer.weight.detach() * gain.reshape(-1, *[1] * (layer.weight.ndim - 1))
    )
    folded.bias = nn.Parameter(norm.bias.detach() + gain * shift)
    trained = Quantization(weights=weights).apply(nn.Sequential(layer, norm), {"0": bits}, inputs)
    stored = Quantization(weights=weights).apply(nn.Sequential(folded), {"0": bits}, inputs)
    assert torch.allclose(trained(inputs), stored(inputs), atol=1e-4)


def network() -> nn.Sequential:
    with seeded(0):
        model = nn.Sequential()
        model.add_module("a", nn.Conv2d(2, 4, 3, bias=False))
        model.add_module(
            "b", nn.Sequential(nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 3, 1), nn.Flatten())
        )
        model.add_module("head", nn.Linear(48, 3))
        return model


IMAGES = noise(8, 2, 6, 6)


def ranges(model: nn.Module) -> dict[str, tuple[float, float]]:
    """The ends of each range, by name."""
    found = (
        (name, module)
        for name, module in model.named_modules()
        if isinstance(module, ActivationQuantizer)
    )
    return {
        name.removeprefix("ranges."): (module.low.item(), module.high.item())
        for name, module in found
    }


def test_the_ranges_are_those_of_exactly_the_batch_given() -> None:
    model = network()
    before = copy.deepcopy(model.state_dict())
    floats = copy.deepcopy(model).eval()
    quantized = Quantization().apply(model, {"": 8}, IMAGES)
    found = ranges(quantized)
    assert list(found) == ["input_1", "b_1", "b_2", "head"]
    assert found["input_1"] == (IMAGES.min().item(), IMAGES.max().item())
    # After a ReLU the range begins at zero, and it is calibrated on the outputs of quantized
    # layers.
    inside = nn.Sequential(
        quantized.get_submodule("a"), floats.get_submodule("b.0"), nn.ReLU()
    ).eval()
    assert found["b_1"] == pytest.approx((0.0, inside(IMAGES).max().item()))
    # Calibration does not train.
    assert all(
        torch.equal(before[name], tensor)
        for name, tensor in quantized.state_dict().items()
        if name in before
    )
    again = ranges(Quantization().apply(network(), {"": 4}, 0.5 * IMAGES))
    assert again["input_1"] == (0.5 * IMAGES.min().item(), 0.5 * IMAGES.max().item())


def test_every_range_has_the_bits_of_the_activations() -> None:
    quantized = Quantization(activation_bits=5).apply(network(), {"": 4}, IMAGES)
    assert [
        module.bits for module in quantized.modules() if isinstance(module, ActivationQuantizer)
    ] == [5] * 4


@pytest.mark.parametrize(
    "settings", [{"": 8, "b": 4, "b.2": 2}, {"b.2": 2, "b": 4, "": 8}, {"b.2": 2, "": 8}]
)
def test_the_inner_site_decides(settings: dict[str, int]) -> None:
    quantized = Quantization().apply(network(), settings, IMAGES)
    assert {
        name: layer.bits
        for name, layer in quantized.named_modules()
        if isinstance(layer, (QuantizedConv2d, QuantizedLinear))
    } == {
        "a": 8,
        "b.2": 2,
        "head": 8,
    }


def test_only_the_chosen_layers_are_quantized() -> None:
    quantized = Quantization().apply(network(), {"a": 4}, IMAGES)
    assert isinstance(quantized.get_submodule("a"), QuantizedConv2d)
    assert type(quantized.get_submodule("b.2")) is nn.Conv2d
    assert type(quantized.get_submodule("head")) is nn.Linear


def test_a_layer_that_is_used_twice_is_quantized_once_with_a_range_for_each_use() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            with seeded(0):
                self.mix = nn.Linear(4, 4)
            self.tail = nn.Sequential(self.mix)

        def forward(self, x: Tensor) -> Tensor:
            y: Tensor = self.tail(torch.relu(self.mix(x)))
            return y

    for site in ("mix", "tail"):
        model = Quantization().apply(Twice(), {site: 8}, noise(8, 4))
        layers = [module for module in model.modules() if isinstance(module, QuantizedLinear)]
        assert len(layers) == 1
        assert len(list(model.parameters())) == 2
        assert len(ranges(model)) == 3


def test_operations_without_an_integer_form_are_refused() -> None:
    model = nn.Sequential(network(), nn.Softmax(1))
    with pytest.raises(
        UnsupportedError,
        match=r"must have an integer form, but '1' is a Softmax; these modules have one: .*Conv2d",
    ):
        Quantization().apply(model, {"": 4}, IMAGES)


@pytest.mark.parametrize("bits", [9, 0, -4, True, False, 4.0, "4", None])
def test_other_bit_widths_are_refused_with_their_site(bits: Any) -> None:
    with pytest.raises(
        ValueError, match=rf"bits must be one of \(1, 2, .*, 8\), but got {bits!r} at 'b.2'"
    ):
        Quantization().apply(network(), {"a": 4, "b.2": bits}, IMAGES)
    with pytest.raises(ValueError, match=f"but got {bits!r} at 'activations'"):
        Quantization(activation_bits=bits)


def test_tensors_of_one_bit_are_refused() -> None:
    with pytest.raises(
        ValueError, match=r"bits must be one of \(2, .*, 8\), but got 1 at 'activations'"
    ):
        Quantization(activation_bits=1)


WRONG: list[tuple[dict[str, Any], str]] = [
    (
        {"weights": "asymmetric"},
        r"weights must be one of \('max', 'lsq', 'ternary', 'affine'\), but got 'asymmetric'",
    ),
    (
        {"weight_scales": "group"},
        r"weight_scales must be one of \('channel', 'tensor'\), but got 'group'",
    ),
    (
        {"activations": "dynamic"},
        r"activations must be one of \('widest', .*'lsq'\), but got 'dynamic'",
    ),
    ({"ranges": "kl"}, r"ranges must be one of \('minmax', .*\), but got 'kl'"),
    (
        {"ranges": "entropy"},
        r"ranges must be one of \('minmax',\) where activations are 'widest'.*'fixed'.*but got 'entropy'",
    ),
]


@pytest.mark.parametrize(("options", "message"), WRONG)
def test_other_options_are_refused_with_the_alternatives(
    options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        Quantization(**options)


METHODS: list[tuple[int, dict[str, Any]]] = [
    *[(bits, {}) for bits in range(1, 9)],
    *[(bits, {"weight_scales": "tensor"}) for bits in (1, 2, 4)],
    *[
        (bits, {"weights": "lsq", "weight_scales": scales})
        for bits in (1, 2, 4, 8)
        for scales in ("channel", "tensor")
    ],
    *[(2, {"weights": "ternary", "weight_scales": scales}) for scales in ("channel", "tensor")],
    *[
        (bits, {"weights": "affine", "weight_scales": scales})
        for bits in range(1, 9)
        for scales in ("channel", "tensor")
    ],
    *[
        (4, {"activations": "fixed", "ranges": method})
        for method in ("minmax", "moving_average", "percentile")
    ],
    *[
        (4, {"activations": "fixed", "ranges": method})
        for method in ("squared_error", "entropy", "mean_magnitude")
    ],
    *[(4, {"activations": "average", "activation_bits": bits}) for bits in (2, 5)],
    *[(4, {"activations": "pact", "activation_bits": bits}) for bits in (2, 4, 8)],
    *[
        (4, {"activations": "lsq", "activation_bits": bits, "ranges": "mean_magnitude"})
        for bits in (2, 4, 8)
    ],
]


@pytest.mark.parametrize(("bits", "options"), METHODS)
@pytest.mark.parametrize("gains", ["none", "ones", "of both signs"])
def test_the_program_gives_the_outputs_of_the_trained_network(
    bits: int, options: dict[str, Any], gains: str
) -> None:
    normed = gains != "none"
    with seeded(bits):
        norms = [nn.BatchNorm2d(6) if normed else nn.Identity() for _ in range(2)]
        first, second = (
            nn.Conv2d(2, 6, 3, bias=not normed),
            nn.Conv2d(6, 6, 3, groups=6, bias=not normed),
        )
        model = nn.Sequential(
            first, norms[0], nn.ReLU(), second, norms[1], nn.ReLU(), nn.Flatten(), nn.Linear(24, 5)
        )
        if gains == "of both signs":
            for norm in norms:
                nn.init.normal_(norm.get_parameter("weight"))
    quantized = Quantization(**options).apply(model, {"": bits}, IMAGES)
    quantized.train()
    optimizer = torch.optim.AdamW(quantized.parameters(), lr=0.01)
    for _ in range(8):
        optimizer.zero_grad()
        nn.functional.cross_entropy(quantized(IMAGES), torch.arange(8) % 5).backward()  # type: ignore[no-untyped-call]
        assert all(
            parameter.grad is not None and parameter.grad.isfinite().all()
            for parameter in quantized.parameters()
        )
        optimizer.step()
    program = lower(snapped(quantized), IMAGES)
    layers = [operation for operation in program.operations if isinstance(operation, Layer)]
    assert [layer.weights.bits for layer in layers] == [bits] * 3
    affine = options.get("weights") == "affine" and bits > 1
    assert [layer.weights.zero_points is not None for layer in layers] == [affine] * 3
    inputs = noise(200, 2, 6, 6, seed=1)
    with torch.no_grad():
        said = quantized.eval()(inputs).numpy()
    step = program.tensors[-1].scale
    off = np.abs(logits(unpack(pack(program)), inputs) - said) / step
    assert (off < 0.01).mean() > 0.995
    assert off.max() < 1.5


@pytest.mark.parametrize("scales", ["channel", "tensor"])
def test_affine_weights_are_counted_before_they_are_trained(scales: Granularity) -> None:
    sizes = {}
    for weights in ("max", "affine"):
        method = Quantization(
            weights="affine" if weights == "affine" else "max", weight_scales=scales
        )
        for bits in (1, 2, 4, 8):
            found = []
            for seed in (0, 1):
                model = network()
                with seeded(seed):
                    for parameter in model.parameters():
                        nn.init.normal_(parameter)
                program = lower_all_channels(method.apply(model, {"a": bits}, IMAGES), IMAGES)
                found.append(flash_bytes(program))
                assert len(pack(program)) <= found[-1]
            assert found[0] == found[1]
            sizes[weights, bits] = found[0]
    # Two bytes, and the zero points of four channels at the same bit-width.
    assert [sizes["affine", bits] - sizes["max", bits] for bits in (1, 2, 4, 8)] == [
        0,
        2 + 1,
        2 + 2,
        2 + 4,
    ]


def test_weights_of_one_sign_lose_half_as_much_to_affine_levels() -> None:
    model = network()
    with torch.no_grad():
        for name in ("a", "b.2", "head"):
            model.get_parameter(f"{name}.weight").abs_()
    wanted = model.eval()(IMAGES)
    errors = [
        (quantize(model, 3, IMAGES, Quantization(weights=w))(IMAGES) - wanted).norm().item()
        for w in ("max", "affine")
    ]
    assert errors[1] < 0.6 * errors[0]


def test_a_site_that_is_not_there_is_refused() -> None:
    with pytest.raises(ValueError, match=r"must name a module of the network, .* but got 'c'"):
        Quantization().apply(network(), {"c": 4}, IMAGES)


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
    assert all(
        parameter.grad is not None and parameter.grad.any() for parameter in quantized.parameters()
    )


def test_more_bits_are_closer_to_the_floats() -> None:
    expected = network().eval()(IMAGES)
    errors = [
        (Quantization().apply(network(), {"": bits}, IMAGES)(IMAGES) - expected).norm().item()
        for bits in (2, 4, 6, 8)
    ]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 0.03 * expected.norm()
    coarse = Quantization(activation_bits=2).apply(network(), {"": 8}, IMAGES)(IMAGES)
    assert (coarse - expected).norm() > 3 * errors[-1]


class Space:
    """A network with a layer of every bit-width, and a residual sum."""

    choices = Choices([Choice("body", "bits", (1, 2, 4)), Choice("head", "bits", (2, 8))])

    def build(self, design: Design, example: Tensor, classes: int) -> nn.Module:
        model = nn.Sequential()
        model.add_module(
            "body",
            nn.Sequential(
                nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 4, 1), nn.Flatten()
            ),
        )
        model.add_module("head", nn.Linear(144, classes))
        return model


OPTIONS: list[dict[str, Any]] = [
    {},
    {"weights": "lsq", "activations": "lsq", "ranges": "mean_magnitude"},
    {
        "weights": "ternary",
        "weight_scales": "tensor",
        "activations": "pact",
        "ranges": "entropy",
        "activation_bits": 4,
    },
    {"activations": "average", "ranges": "moving_average"},
    {"weights": "affine"},
    {"weights": "affine", "weight_scales": "tensor", "activation_bits": 4},
]


@pytest.mark.parametrize("options", OPTIONS)
def test_the_contract_is_kept(options: dict[str, Any]) -> None:
    check_compressor(
        Quantization(**options), Space(), torch.rand(16, 1, 8, 8), 3, np.random.default_rng(0)
    )


def test_a_function_takes_bits_for_all_or_for_each_site() -> None:
    model = network()
    for bits, expected in ((3, [3, 3, 3]), ({"a": 1, "head": 8}, [1, 8])):
        quantized = quantize(model, bits, IMAGES, Quantization(activation_bits=6))
        layers = [
            module
            for module in quantized.modules()
            if isinstance(module, (QuantizedConv2d, QuantizedLinear))
        ]
        assert [layer.bits for layer in layers] == expected
        assert {
            module.bits for module in quantized.modules() if isinstance(module, ActivationQuantizer)
        } == {6}
    assert not any(
        isinstance(module, (QuantizedConv2d, QuantizedLinear, ActivationQuantizer))
        for module in model.modules()
    )
