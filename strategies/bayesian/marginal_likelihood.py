"""Kernel hyper-parameters by maximum marginal likelihood over a grid."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

from strategies.bayesian.gaussian_process import Kernel, factorize
from strategies.bayesian.inputs import Inputs, Vector

COST_SLOPE_VARIANCES = (0.0, 0.1, 0.3, 1.0, 3.0)
INITIAL_COST_SLOPE_VARIANCE = 0.3
GENE_SQUARED_LENGTHS = (1 / 12, 1 / 6, 1 / 3, 2 / 3, 4 / 3, 8 / 3, 16 / 3)
NOISE_VARIANCES = (1e-4, 1e-3, 1e-2, 3e-2, 1e-1, 3e-1)
_GRID: tuple[tuple[str, tuple[float, ...]], ...] = (
    ("gene_linear_variance", (0.0, 0.6, 1.8, 6.0, 18.0, 60.0)),
    ("gene_squared_length", GENE_SQUARED_LENGTHS),
    ("noise_variance", NOISE_VARIANCES),
    ("cost_variance", (0.0, 0.1, 0.3, 1.0, 3.0, 10.0)),
    ("cost_squared_length", (0.001, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0)),
)


def maximize_likelihood(starts: Iterable[Kernel], observed: Inputs, values: Vector) -> Kernel:
    """The kernel of the highest marginal likelihood after one round of coordinate ascent from each
    start.

    One round is enough, since the next fit to more observations continues from its result.

    Raises:
        ValueError: if a hyper-parameter of a start is not on the grid.
    """
    pairs = observed.pairs(observed)

    def log_likelihood(kernel: Kernel) -> float:
        of_costs = kernel.cost_covariance(observed.costs, observed.costs)
        covariance = kernel.combine(pairs, of_costs)
        covariance.flat[:: len(values) + 1] += kernel.noise_variance
        return factorize(covariance, values).log_likelihood

    climbed = [_coordinate_ascent(start, log_likelihood) for start in dict.fromkeys(starts)]
    return max(climbed, key=lambda result: result[1])[0]


def _coordinate_ascent(
    kernel: Kernel, log_likelihood: Callable[[Kernel], float]
) -> tuple[Kernel, float]:
    best = log_likelihood(kernel)
    for axis in range(len(_GRID) + len(kernel.cost_slope_variances)):
        for step in (-1, 1):
            for candidate in _along_axis(kernel, axis, step):
                likelihood = log_likelihood(candidate)
                if likelihood <= best:
                    break
                kernel, best = candidate, likelihood
    return kernel, best


def _along_axis(kernel: Kernel, axis: int, step: int) -> Iterator[Kernel]:
    """The next kernels along one axis of the grid: the axes of `_GRID`, then one per cost."""
    make: Callable[[float], Kernel]
    if axis < len(_GRID):
        name, grid = _GRID[axis]
        value, make = getattr(kernel, name), partial(_replace, kernel, name)
    else:
        cost, slopes = axis - len(_GRID), kernel.cost_slope_variances
        before, after = slopes[:cost], slopes[cost + 1 :]
        grid, value, make = (
            COST_SLOPE_VARIANCES,
            slopes[cost],
            lambda slope: replace(kernel, cost_slope_variances=(*before, slope, *after)),
        )
    index = grid.index(value) + step
    while 0 <= index < len(grid):
        yield make(grid[index])
        index += step


def _replace(kernel: Kernel, name: str, value: float) -> Kernel:
    changes: dict[str, Any] = {name: value}
    return replace(kernel, **changes)
