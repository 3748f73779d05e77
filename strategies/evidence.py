"""The kernel that makes the observations most likely, out of a grid."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from strategies.gaussian_process import Factored, Inputs, Kernel, Vector, factored, squared_distances

SLOPES = (0.0, 0.1, 0.3, 1.0, 3.0)
START = 0.3
LINEAR = (0.0, 0.6, 1.8, 6.0, 18.0, 60.0)
REACHES = (1 / 12, 1 / 6, 1 / 3, 2 / 3, 4 / 3, 8 / 3, 16 / 3)
NOISES = (1e-4, 1e-3, 1e-2, 3e-2, 1e-1, 3e-1)


def likeliest(start: Kernel, observed: Inputs, values: Vector) -> Kernel:
    """One round of climbing the marginal likelihood from `start`, one hyper-parameter after the other.

    A round is enough where it is made again whenever there is somewhat more to learn from.

    Raises:
        ValueError: if a hyper-parameter of `start` is not on the grid.
    """
    inner = observed.genes @ observed.genes.T
    distance = squared_distances(observed.genes, observed.genes, inner)
    trends = observed.costs.T[:, :, None] * observed.costs.T[:, None, :]

    def judged(kernel: Kernel) -> Factored:
        trend = np.tensordot(np.asarray(kernel.slopes), trends, 1) if kernel.slopes else 0.0
        covariance = kernel.combined(inner, distance, trend)
        covariance.flat[:: len(values) + 1] += kernel.noise
        return factored(covariance, values)

    kernel, evidence = start, judged(start).evidence
    for axis in range(3 + len(start.slopes)):
        for step in (-1, 1):
            for other in _line(kernel, axis, step):
                rival = judged(other).evidence
                if rival <= evidence:
                    break
                kernel, evidence = other, rival
    return kernel


def _line(kernel: Kernel, axis: int, step: int) -> Iterator[Kernel]:
    """The kernels that follow along one axis of the grid."""
    grid: tuple[float, ...]
    make: Callable[[float], Kernel]
    if axis == 0:
        grid, value, make = LINEAR, kernel.linear, lambda linear: replace(kernel, linear=linear)
    elif axis == 1:
        grid, value, make = REACHES, kernel.reach, lambda reach: replace(kernel, reach=reach)
    elif axis == 2:
        grid, value, make = NOISES, kernel.noise, lambda noise: replace(kernel, noise=noise)
    else:
        before, after = kernel.slopes[: axis - 3], kernel.slopes[axis - 2 :]
        grid, value, make = SLOPES, kernel.slopes[axis - 3], lambda slope: replace(kernel, slopes=(*before, slope, *after))
    index = grid.index(value) + step
    while 0 <= index < len(grid):
        yield make(grid[index])
        index += step
