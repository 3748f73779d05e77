"""Sizes that calls are given, as numbers."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from compressors.post_training import quantize_trained
from compressors.quantization import quantize
from nas.lowering import lower, snapped
from nas.program import logits
from nas.quantize import UnsupportedError, folded, traced_network
from nas.tracing import outputs
from nas.tracing.same_outputs import difference
from tests.networks import Wired

INPUTS = torch.randn(6, 3, 7, 8, generator=torch.Generator().manual_seed(0))


def padded(net: Wired, x: Tensor) -> Tensor:
    """The way up of a U-Net, padded to the size of the way down."""
    down = net["down"](x).relu()
    up = net["up"](functional.max_pool2d(down, 2))
    rows, columns = down.size(2) - up.size(2), down.size(3) - up.size(3)
    sides = [columns // 2, columns - columns // 2, rows // 2, rows - rows // 2]
    joined = torch.cat([down, functional.pad(up, sides)], 1)
    logits: Tensor = net["head"](joined.mean((2, 3)))
    return logits


def enlarged(net: Wired, x: Tensor) -> Tensor:
    down = net["down"](x[:, :, 1:]).relu()
    up = functional.interpolate(functional.max_pool2d(down, 2), size=down.shape[-2:])
    logits: Tensor = net["head"](torch.cat([down, up], 1).mean((2, 3)))
    return logits


def of_samples(net: Wired, x: Tensor) -> Tensor:
    down = functional.pad(net["down"](x), (0, x.size(0), 0, 0))
    logits: Tensor = net["head"](torch.cat([down, down], 1).mean((2, 3)))
    return logits


def network(call: Callable[[Wired, Tensor], Tensor]) -> nn.Module:
    torch.manual_seed(0)
    return Wired(
        call,
        down=nn.Conv2d(3, 4, 1),
        up=nn.ConvTranspose2d(4, 4, 2, 2),
        head=nn.Linear(8, 3),
    ).eval()


@pytest.mark.parametrize("call", [padded, enlarged])
def test_networks_that_compute_sizes_are_right(call: Callable[[Wired, Tensor], Tensor]) -> None:
    model = network(call)
    wanted = outputs(model, INPUTS)
    assert difference(wanted, outputs(folded(model, INPUTS), INPUTS)) < 1e-5
    assert difference(wanted, outputs(quantize_trained(model, 8, INPUTS), INPUTS)) < 0.05
    trained = snapped(quantize(model, 8, INPUTS))
    program = lower(trained, INPUTS)
    said = outputs(trained, INPUTS).numpy()
    assert abs(logits(program, INPUTS) - said).max() <= 1.01 * program.tensors[-1].scale


def test_sizes_need_an_example() -> None:
    with pytest.raises(UnsupportedError, match="'interpolate' must have constant arguments"):
        traced_network(network(enlarged))


def test_the_number_of_samples_is_no_size() -> None:
    with pytest.raises(UnsupportedError, match="'pad' must have constant arguments"):
        quantize(network(of_samples), 8, INPUTS)
