"""Our quantizers beside those of Brevitas, which `pip install '.[compare]'` installs."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from nas.quantize import ActivationQuantizer
from nas.quantize.learned_rounding import learned_step
from nas.quantize.weight_levels import weight_levels

pytest.importorskip("brevitas")

pytestmark = pytest.mark.filterwarnings("ignore")


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def integers(signed: bool, narrow: bool) -> Any:
    """Brevitas' rounding to integers, given a scale, a zero point and a bit-width."""
    from brevitas.core.function_wrapper import RoundSte
    from brevitas.core.quant import IntQuant

    return IntQuant(
        narrow_range=narrow,
        signed=signed,
        float_to_int_impl=RoundSte(),
        input_view_impl=nn.Identity(),
    )


@pytest.mark.parametrize("bits", range(2, 9))
@pytest.mark.parametrize("scales", ["channel", "tensor"])
def test_weights_scaled_by_the_largest_magnitude(bits: int, scales: Any) -> None:
    from brevitas.nn import QuantLinear
    from brevitas.quant import Int8WeightPerChannelFloat, Int8WeightPerTensorFloat

    quant = Int8WeightPerChannelFloat if scales == "channel" else Int8WeightPerTensorFloat
    theirs = QuantLinear(30, 7, bias=False, weight_quant=quant, weight_bit_width=bits)
    theirs.weight = nn.Parameter(noise(7, 30))
    levels, scale = weight_levels(noise(7, 30), bits, scales, margin=0.0)
    assert torch.allclose(levels * scale[:, None], theirs.quant_weight().value.detach(), atol=1e-6)


@pytest.mark.parametrize("bits", range(2, 9))
@pytest.mark.parametrize("signed", [True, False])
def test_learned_steps_and_their_gradients(bits: int, signed: bool) -> None:
    top = 2 ** (bits - 1) - 1 if signed else 2**bits - 1
    found = []
    for ours in (True, False):
        x, step = noise(40, 50).requires_grad_(), torch.tensor(0.9 / top, requires_grad=True)
        if ours:
            rounded = learned_step(x, step, step.item(), -top if signed else 0, top, 1.0)
        else:
            rounded = integers(signed, narrow=signed)(
                step, torch.tensor(0.0), torch.tensor(float(bits)), x
            )
        (rounded * noise(40, 50, seed=1)).sum().backward()  # type: ignore[no-untyped-call]
        assert x.grad is not None
        assert step.grad is not None
        found.append((rounded.detach(), x.grad, step.grad))
    for one, other in zip(*found, strict=True):
        assert torch.allclose(one, other, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("bits", range(2, 9))
@pytest.mark.parametrize("rectified", [True, False])
def test_activations_with_a_range(bits: int, rectified: bool) -> None:
    x = noise(40, 50).relu() if rectified else noise(40, 50)
    module = ActivationQuantizer(bits).eval()
    module.set_ends(0.6 * x.min().item(), 0.6 * x.max().item())
    scale, zero = module.levels()
    given = [x.clone().requires_grad_() for _ in range(2)]
    theirs = integers(signed=False, narrow=False)(
        torch.tensor(scale), torch.tensor(float(zero)), torch.tensor(float(bits)), given[1]
    )
    outputs = module(given[0]), theirs
    for output in outputs:
        (output * noise(40, 50, seed=1)).sum().backward()
    assert torch.allclose(*outputs, atol=1e-5)
    assert given[0].grad is not None
    assert given[1].grad is not None
    assert torch.allclose(given[0].grad, given[1].grad, rtol=1e-4)
