import copy
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from compressors.quantization import Quantization, quantize
from nas.measure.sensitivity import bit_widths
from nas.quantize import ActivationQuantizer, QuantizedConv2d, QuantizedLinear
from nas.quantize.weight_quantizers import WeightMethod
from nas.seeds import seeded
from nas.space import Choice, Choices, Design
from nas.testing.compressor import check_compressor
from tests.compressors.quantization_networks import IMAGES, network, noise


@pytest.mark.parametrize("bits", [2, 4, 8])
@pytest.mark.parametrize("kind", ["conv", "depthwise", "linear"])
@pytest.mark.parametrize("weights", ["max", "affine", "affine_mse"])
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
    {"weights": "affine_mse"},
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


def test_only_layers_whose_bits_change_are_quantized_again() -> None:
    model = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 3))
    images = torch.rand(8, 4, generator=torch.Generator().manual_seed(0))
    method = Quantization(weights="lsq")
    quantized = method.apply(model, {"": 4, "2": 8}, images)
    first, last = (quantized.get_submodule(name) for name in ("0", "2"))
    method.requantize(quantized, {"": 4, "2": 3})
    assert quantized.get_submodule("0") is first
    assert quantized.get_submodule("2") is not last
    assert quantized.get_parameter("2.weight") is last.get_parameter("weight")
    assert bit_widths(quantized) == {"0": 4, "2": 3}
    with pytest.raises(ValueError, match="bits must be one of"):
        method.requantize(quantized, {"": 9})
