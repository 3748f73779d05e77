"""How well the ranges of activations cover inputs that they were not calibrated on."""

import torch
from torch import Tensor, nn

from nas.layers import forward_hooks
from nas.quantize.activation_quantizers import ActivationQuantizer


def calibration_coverage(model: nn.Module, inputs: Tensor) -> float:
    """The share of values, 0 to 1, that lie within a step of the range of their quantizer on `inputs`, a batch
    [N, …], for the quantizer with the smallest share; 1 without quantizers.

    What lies further outside is clipped. The model is left in evaluation mode.
    """
    inside = dict[ActivationQuantizer, int]()
    seen = dict[ActivationQuantizer, int]()

    def count(module: nn.Module, given: tuple[Tensor, ...], output: Tensor) -> None:  # noqa: ARG001 - torch's hook
        assert isinstance(module, ActivationQuantizer)
        values = given[0].relu() if module.rectified else given[0]
        (scale, zero), top = module.levels(), module.top
        # A step beyond the last levels is no loss: zero points are rounded to whole steps.
        low, high = (-zero - 1) * scale, (top - zero + 1) * scale
        within = int(((values >= low) & (values <= high)).sum())
        inside[module] = inside.get(module, 0) + within
        seen[module] = seen.get(module, 0) + values.numel()

    quantizers = [module for module in model.modules() if isinstance(module, ActivationQuantizer)]
    with torch.no_grad(), forward_hooks((module, count) for module in quantizers):
        model.eval()(inputs.clone())
    return min((inside[module] / seen[module] for module in seen), default=1.0)
