"""Tensors of the device "meta" have no numbers: whoever reads one there would wait for a GPU."""

from typing import get_args

import pytest
import torch
from torch import Tensor, nn

from compressors import Quantization, quantize
from nas.quantize.activation_quantizers import SMALLEST_SCALE, ActivationQuantizer
from nas.quantize.learned_quantizers import (
    ActivationMethod,
    LsqQuantizer,
    PactQuantizer,
    activation_quantizer,
)
from nas.quantize.rounding_on_gpu import levels_of, nearest_level, precise
from nas.quantize.weight_quantizers import WeightMethod

IMAGES = torch.rand(8, 1, 8, 8, generator=torch.Generator().manual_seed(0))


def network() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Conv2d(1, 4, 3),
            nn.BatchNorm2d(4),
            nn.ReLU(),
            nn.Conv2d(4, 4, 3, groups=4),
            nn.Hardswish(),
            nn.Flatten(),
            nn.Linear(64, 3),
        )


def on_gpu(quantizer: ActivationQuantizer, x: Tensor) -> Tensor:
    """What the quantizer would do on a GPU, here."""
    if isinstance(quantizer, (PactQuantizer, LsqQuantizer)):
        return quantizer._on_gpu(x)
    if quantizer.range_update != "fixed":
        quantizer._observe_on_gpu(x)
    ends = precise(quantizer.low), precise(quantizer.high)
    levels = levels_of(*ends, quantizer.top, SMALLEST_SCALE)
    return nearest_level(x, levels, quantizer.rectified)


@pytest.mark.parametrize("bits", [2, 8])
@pytest.mark.parametrize("rectified", [False, True])
@pytest.mark.parametrize("method", get_args(ActivationMethod))
def test_rounds_as_on_a_cpu(method: ActivationMethod, rectified: bool, bits: int) -> None:
    x = torch.randn(8, 3, 4, 4, generator=torch.Generator().manual_seed(1))
    found = []
    for forward in (lambda quantizer, x: quantizer(x), on_gpu):
        quantizer = activation_quantizer(bits, method, rectified)
        quantizer.set_ends(0.0 if rectified else -1.3, 1.7)
        for parameter in quantizer.parameters():
            nn.init.constant_(parameter, 0.9)
        given = x.clone().requires_grad_()
        rounded = forward(quantizer, given)
        (rounded * torch.arange(48.0).view(3, 4, 4)).sum().backward()
        assert given.grad is not None
        found.append([rounded.detach(), given.grad, quantizer.low, quantizer.high])
        found[-1] += [each.grad for each in quantizer.parameters() if each.grad is not None]
    first, second = found
    for one, other in zip(first[:4], second[:4], strict=True):
        assert torch.equal(one, other)
    assert [torch.allclose(*pair) for pair in zip(first[4:], second[4:], strict=True)] == [
        True for _ in quantizer.parameters()
    ]


@pytest.mark.parametrize("weights", get_args(WeightMethod))
@pytest.mark.parametrize("activations", get_args(ActivationMethod))
def test_a_training_step_reads_no_number(
    activations: ActivationMethod, weights: WeightMethod
) -> None:
    method = Quantization(activations=activations, weights=weights)
    model = quantize(network(), 2, IMAGES, method).train()
    wanted = model(IMAGES)
    found = model.to("meta")(IMAGES.to("meta"))
    assert found.shape == wanted.shape
    found.sum().backward()
    assert all(each.grad is not None for each in model.parameters())
