"""The kernel that makes the observations most likely, out of a grid."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

from strategies.bayesian.gaussian_process import Inputs, Kernel, Vector, factored, squared_distances

SLOPES = (0.0, 0.1, 0.3, 1.0, 3.0)
START = 0.3
LINEAR = (0.0, 0.6, 1.8, 6.0, 18.0, 60.0)
REACHES = (1 / 12, 1 / 6, 1 / 3, 2 / 3, 4 / 3, 8 / 3, 16 / 3)
NOISES = (1e-4, 1e-3, 1e-2, 3e-2, 1e-1, 3e-1)
ECHOES = (0.0, 0.1, 0.3, 1.0, 3.0, 10.0)
WIDTHS = (0.001, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
_AXES = (
    ("linear", LINEAR),
    ("reach", REACHES),
    ("noise", NOISES),
    ("echo", ECHOES),
    ("width", WIDTHS),
)


def maximize_likelihood(starts: Iterable[Kernel], observed: Inputs, values: Vector) -> Kernel:
    """The best of what one round of climbing the marginal likelihood finds from each start, a
    hyper-parameter at a time.

    A round is enough where it is made again whenever there is somewhat more to learn from.

    Raises:
        ValueError: if a hyper-parameter of a start is not on the grid.
    """
    inner = observed.genes @ observed.genes.T
    distance = squared_distances(observed.genes, observed.genes, inner)

    def evidence(kernel: Kernel) -> float:
        covariance = kernel.combined(inner, distance, kernel.trend(observed.costs, observed.costs))
        covariance.flat[:: len(values) + 1] += kernel.noise
        return factored(covariance, values).evidence

    climbed = [_climbed(start, evidence) for start in dict.fromkeys(starts)]
    return max(climbed, key=lambda found: found[1])[0]


def _climbed(kernel: Kernel, evidence: Callable[[Kernel], float]) -> tuple[Kernel, float]:
    reached = evidence(kernel)
    for axis in range(len(_AXES) + len(kernel.slopes)):
        for step in (-1, 1):
            for other in _line(kernel, axis, step):
                rival = evidence(other)
                if rival <= reached:
                    break
                kernel, reached = other, rival
    return kernel, reached


def _replaced(kernel: Kernel, name: str, value: float) -> Kernel:
    changes: dict[str, Any] = {name: value}
    return replace(kernel, **changes)


def _line(kernel: Kernel, axis: int, step: int) -> Iterator[Kernel]:
    """The kernels that follow along one axis of the grid."""
    grid: tuple[float, ...]
    make: Callable[[float], Kernel]
    if axis < len(_AXES):
        name, grid = _AXES[axis]
        value, make = getattr(kernel, name), partial(_replaced, kernel, name)
    else:
        cost = axis - len(_AXES)
        before, after = kernel.slopes[:cost], kernel.slopes[cost + 1 :]
        grid, value, make = (
            SLOPES,
            kernel.slopes[cost],
            lambda slope: replace(kernel, slopes=(*before, slope, *after)),
        )
    index = grid.index(value) + step
    while 0 <= index < len(grid):
        yield make(grid[index])
        index += step
