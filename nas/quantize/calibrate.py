"""Calibration: the ranges of activation quantizers, estimated on data."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Literal

import torch
from torch import Tensor, nn

from nas.quantize.activation_quantizers import ActivationQuantizer
from nas.quantize.entropy import entropy

RangeEstimator = Callable[[Tensor, int], tuple[float, float]]
"""From all values of a tensor, [N], and the number of levels, to the low and the high end of its
range.
"""


def minmax(values: Tensor, levels: int) -> tuple[float, float]:  # noqa: ARG001 - some estimators need the number of levels
    """The smallest and the largest value."""
    return float(values.min()), float(values.max())


def percentile(values: Tensor, levels: int, share: float = 0.999) -> tuple[float, float]:  # noqa: ARG001
    """The quantiles 1 - `share` and `share`: the most extreme values of each side are clipped."""
    ordered = values.sort().values
    last = len(ordered) - 1
    return float(ordered[round((1 - share) * last)]), float(ordered[round(share * last)])


def squared_error(values: Tensor, levels: int) -> tuple[float, float]:
    """The range with the least squared error of rounding and clipping, out of 40: 100 % to 22 % of
    the whole.
    """
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
    """Exponential moving averages, over `parts` consecutive parts of the values, of their minimum
    and maximum (Jacob et al., 2018).

    `momentum`, 0 to 1, is the weight of each new part.
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
    """Levels 2 · mean |x| / √Q apart, the initial step of LSQ (Esser et al., 2020), with the zero
    point of the whole range.
    """
    low, high = min(float(values.min()), 0.0), max(float(values.max()), 0.0)
    zero = round((levels - 1) * -low / max(high - low, 1e-30))
    # Q is the largest level of the side that has more levels.
    step = 2.0 * float(values.abs().mean()) / math.sqrt(max(zero, levels - 1 - zero))
    return -zero * step, (levels - 1 - zero) * step


RangeMethod = Literal[
    "minmax", "moving_average", "percentile", "squared_error", "entropy", "mean_magnitude"
]
RANGE_METHODS: Mapping[RangeMethod, RangeEstimator] = {
    "minmax": minmax,
    "moving_average": moving_average,
    "percentile": percentile,
    "squared_error": squared_error,
    "entropy": entropy,
    "mean_magnitude": mean_magnitude,
}


def calibrate(model: nn.Module, inputs: Tensor, estimator: RangeEstimator = minmax) -> None:
    """Sets the range of every `ActivationQuantizer` of `model`, in place, from the tensors it reads
    on `inputs`, a batch [N, …].

    The model is left in evaluation mode.
    """
    quantizers = [module for module in model.modules() if isinstance(module, ActivationQuantizer)]
    seen: dict[ActivationQuantizer, list[Tensor]] = {module: [] for module in quantizers}

    def record(module: ActivationQuantizer, tensor: Tensor) -> Tensor:
        # Passed on unrounded: this range is not set yet, and must not affect later ones.
        values = tensor.relu() if module.rectified else tensor
        seen[module].append(values.flatten())
        return values

    model.eval()
    with torch.no_grad(), _instead(record, quantizers):
        model(inputs.clone())  # as a network may begin with an operation in place
    for module, values in seen.items():
        if values:
            whole = values[0] if len(values) == 1 else torch.cat(values)
            module.set_ends(*estimator(whole, module.top + 1))


@contextmanager
def _instead(
    called: Callable[[ActivationQuantizer, Tensor], Tensor], modules: Iterable[ActivationQuantizer]
) -> Iterator[None]:
    """A context in which modules give what `called` does, and round nothing."""
    with ExitStack() as stack:
        for module in modules:
            vars(module)["forward"] = partial(called, module)
            stack.callback(vars(module).pop, "forward")
        yield
