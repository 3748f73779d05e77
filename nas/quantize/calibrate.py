"""Ranges from data: what to do before training, or instead of it."""

import math
from collections.abc import Callable, Mapping
from typing import Literal

import torch
from torch import Tensor, nn

from nas.quantize.activation_quantizers import ActivationQuantizer
from nas.quantize.entropy import entropy

Method = Callable[[Tensor, int], tuple[float, float]]
"""From all values of a tensor, [N], and the number of levels to the smallest and the largest value
of its range.
"""


def minmax(values: Tensor, levels: int) -> tuple[float, float]:  # noqa: ARG001 - some methods need the number of levels
    """Everything that was seen."""
    return float(values.min()), float(values.max())


def percentile(values: Tensor, levels: int, share: float = 0.999) -> tuple[float, float]:  # noqa: ARG001
    """All but the most extreme values; `share` is the part that is kept on each side."""
    ordered = values.sort().values
    last = len(ordered) - 1
    return float(ordered[round((1 - share) * last)]), float(ordered[round(share * last)])


def squared_error(values: Tensor, levels: int) -> tuple[float, float]:
    """The shrunk range of least squared rounding and clipping error, out of 40."""
    low, high = minmax(values, levels)

    def error(factor: float) -> float:
        scale = max((high - low) * factor / (levels - 1), 1e-30)
        rounded = (values / scale).round().clamp(
            round(low * factor / scale), round(high * factor / scale)
        ) * scale
        return float((rounded - values).square().mean())

    best = min((1.0 - step / 50 for step in range(40)), key=error)
    return low * best, high * best


def moving_average(
    values: Tensor,
    levels: int,  # noqa: ARG001
    parts: int = 16,
    momentum: float = 0.1,
) -> tuple[float, float]:
    """The ends of `parts` parts of the values, in their order, each later one with more weight
    (Jacob et al., 2018).
    """
    low, high = None, None
    for part in values.tensor_split(min(parts, len(values))):
        ends = float(part.min()), float(part.max())
        low = ends[0] if low is None else low + momentum * (ends[0] - low)
        high = ends[1] if high is None else high + momentum * (ends[1] - high)
    assert low is not None
    assert high is not None
    return low, high


def mean_magnitude(values: Tensor, levels: int) -> tuple[float, float]:
    """Levels 2 · mean |x| / √Q apart, as LSQ begins (Esser et al., 2020); the zero point is that of
    the whole range.
    """
    low, high = min(float(values.min()), 0.0), max(float(values.max()), 0.0)
    zero = round((levels - 1) * -low / max(high - low, 1e-30))
    # Q is the largest level of the side that has more of them.
    step = 2.0 * float(values.abs().mean()) / math.sqrt(max(zero, levels - 1 - zero))
    return -zero * step, (levels - 1 - zero) * step


RangeMethod = Literal[
    "minmax", "moving_average", "percentile", "squared_error", "entropy", "mean_magnitude"
]
METHODS: Mapping[RangeMethod, Method] = {
    "minmax": minmax,
    "moving_average": moving_average,
    "percentile": percentile,
    "squared_error": squared_error,
    "entropy": entropy,
    "mean_magnitude": mean_magnitude,
}


def calibrate(model: nn.Module, inputs: Tensor, method: Method = minmax) -> None:
    """Sets every `ActivationQuantizer` of `model` from what flows through it on `inputs`, in place."""
    ranges = [module for module in model.modules() if isinstance(module, ActivationQuantizer)]
    seen: dict[ActivationQuantizer, list[Tensor]] = {module: [] for module in ranges}

    def note(module: nn.Module, arguments: tuple[Tensor, ...], output: Tensor) -> Tensor:  # noqa: ARG001 - torch's hook
        assert isinstance(module, ActivationQuantizer)
        # Unrounded: ranges that are not set yet must not spoil those behind them.
        values = arguments[0].relu() if module.rectified else arguments[0]
        seen[module].append(values.flatten())
        return values

    hooks = [module.register_forward_hook(note) for module in ranges]
    model.eval()
    with torch.no_grad():
        model(inputs)
    for hook in hooks:
        hook.remove()
    for module, values in seen.items():
        if values:
            module.set_ends(*method(torch.cat(values), module.top + 1))
