"""Transposed convolutions as convolutions of images with zeros between their pixels."""

import doctest
from itertools import product
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import prune as torch_prune

from compressors import factorizable, prunable, prune, shareable, sparsify
from compressors.joint import joint_choices
from compressors.quantization import quantize
from compressors.sparsity import sparsities
from nas.lowering import lower, snapped
from nas.measure.costs import costs
from nas.program import logits
from nas.quantize import QuantizedConv2d, UnsupportedError, folded
from nas.tracing import Spread, independent_copy, outputs, transposed
from nas.tracing.same_outputs import difference

# Torch's own is not typed.
RANDOM_UNSTRUCTURED: Any = torch_prune.random_unstructured
INPUTS = torch.randn(8, 3, 6, 5, generator=torch.Generator().manual_seed(0))


def test_examples() -> None:
    assert doctest.testmod(transposed) == (0, 2)


def upsampling(padding: int = 0, output_padding: int = 0) -> nn.Sequential:
    """An autoencoder's way down and up again, and a head."""
    torch.manual_seed(0)
    return nn.Sequential(
        *(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.ConvTranspose2d(8, 6, 2, 2, padding, output_padding), nn.BatchNorm2d(6), nn.ReLU()),
        *(nn.Conv2d(6, 4, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)),
    ).eval()


@pytest.mark.parametrize("groups", [1, 2, 4])
@pytest.mark.parametrize("dilation", [1, 2])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_copies_say_the_same_of_images_and_signals(stride: int, dilation: int, groups: int) -> None:
    torch.manual_seed(0)
    for kernel, padding, more in product((1, 2, 3, 4), (0, 1), (0, 1)):
        if more >= max(stride, dilation) or padding > dilation * (kernel - 1):
            continue
        geometry = (kernel, stride, padding, more, groups, bool(kernel % 2), dilation)
        image, signal = torch.randn(2, 4, 5, 3), torch.randn(2, 4, 7)
        for layer, x in (
            (nn.ConvTranspose2d(4, 8, *geometry), image),
            (nn.ConvTranspose1d(4, 8, *geometry), signal),
        ):
            copied = independent_copy(layer)
            assert not isinstance(copied, (nn.ConvTranspose1d, nn.ConvTranspose2d))
            assert difference(outputs(layer, x), outputs(copied, x)) < 1e-5


def test_layers_keep_their_names_and_what_freezes_and_masks_them() -> None:
    model = upsampling()
    model[3].requires_grad_(requires_grad=False)
    RANDOM_UNSTRUCTURED(model[3], "weight", 0.5)
    wanted = outputs(model, INPUTS)
    copied = independent_copy(model)
    spread, conv = copied.get_submodule("3").children()
    assert isinstance(spread, Spread)
    assert isinstance(conv, nn.Conv2d)
    assert not conv.weight.requires_grad
    assert sparsities(copied)["3.1"] == 0.5
    assert difference(wanted, outputs(copied, INPUTS)) < 1e-6


def test_a_layer_that_is_called_twice_is_one() -> None:
    torch.manual_seed(0)
    up = nn.ConvTranspose2d(3, 3, 2, 2)
    copied = independent_copy(nn.Sequential(up, nn.ReLU(), up))
    assert copied.get_submodule("0") is copied.get_submodule("2")


class Doubled(nn.ConvTranspose2d):
    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override] # sizes are not given
        return 2 * super().forward(x)


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (Doubled(8, 6, 2, 2), "'3' is a Doubled, which changes forward of ConvTranspose2d"),
        (nn.ConvTranspose2d(8, 6, 1, 2, padding=1), "'3' is a ConvTranspose2d; .* use a padding"),
    ],
)
def test_what_is_something_else_is_refused(layer: nn.Module, message: str) -> None:
    model = upsampling()
    model[3] = layer
    with pytest.raises(UnsupportedError, match=message):
        quantize(model, 8, INPUTS)


def test_they_are_compressed_as_convolutions_are() -> None:
    model = upsampling()
    assert "3.1" in shareable(model, 4)
    assert "3.1" in factorizable(model, 0.2)
    assert prunable(model, INPUTS) == [("0",), ("3.1",), ("6",)]
    assert {"3.1.prune", "3.1.bits"} <= {each.name for each in joint_choices(model, INPUTS)}
    half = prune(model, 0.5, INPUTS)
    assert half.get_submodule("3.1").get_parameter("weight").shape == (3, 4, 2, 2)
    assert sparsities(sparsify(model, {"3": 0.5}, INPUTS))["3.1"] == 0.5
    quantized = quantize(model, {"3": 3}, INPUTS)
    layer = quantized.get_submodule("3.1")
    assert isinstance(layer, QuantizedConv2d)
    assert layer.bits == 3


def test_normalization_is_folded_into_them() -> None:
    model = upsampling()
    for values in model[4].parameters():
        nn.init.uniform_(values, -1.0, 1.0)
    kinds = [type(module) for module in folded(model, INPUTS).modules()]
    assert nn.BatchNorm2d not in kinds
    assert Spread in kinds


@pytest.mark.parametrize("bits", [8, 2])
def test_the_program_computes_what_the_network_does(bits: int) -> None:
    trained = snapped(quantize(upsampling(padding=1, output_padding=1), bits, INPUTS))
    program = lower(trained, INPUTS)
    scale = program.tensors[-1].scale
    said = outputs(trained, INPUTS).numpy()
    assert abs(logits(program, INPUTS) - said).max() <= 1.01 * scale


def test_zeros_are_not_counted_as_multiplied() -> None:
    model = upsampling()
    found = costs(model, lower(model, INPUTS))
    pixels, small, large = 6 * 5, 3 * 2, 6 * 4
    assert found["macs"] == 3 * 9 * 8 * pixels + 8 * 4 * 6 * small + 6 * 4 * large + 4 * 3
    # An image of 6 maps, from the spread one of 8 with a margin of 1 for the kernel.
    assert found["peak_memory_bytes"] >= 8 * 5 * 3
