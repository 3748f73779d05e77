"""Ranges from data: what to do before training, or instead of it."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from nas.quantize.ranges import Range

Method = Callable[[Tensor, int], tuple[float, float]]
"""From all values of a tensor, [N], and the number of levels to the smallest and the largest value of its range."""


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
        rounded = (values / scale).round().clamp(round(low * factor / scale), round(high * factor / scale)) * scale
        return float((rounded - values).square().mean())

    best = min((1.0 - step / 50 for step in range(40)), key=error)
    return low * best, high * best


def calibrate(model: nn.Module, inputs: Tensor, method: Method = minmax) -> None:
    """Sets every `Range` of `model` from what flows through it on `inputs`, in place."""
    ranges = [module for module in model.modules() if isinstance(module, Range)]
    seen: dict[Range, list[Tensor]] = {module: [] for module in ranges}

    def note(module: nn.Module, arguments: tuple[Tensor, ...], output: Tensor) -> Tensor:  # noqa: ARG001 - torch's hook
        assert isinstance(module, Range)
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
