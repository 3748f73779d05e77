"""The kernel that makes the observations most likely, out of a grid."""

from collections.abc import Iterator
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
    named = (("linear", LINEAR, kernel.linear), ("reach", REACHES, kernel.reach), ("noise", NOISES, kernel.noise))
    name, grid, value = named[axis] if axis < 3 else ("", SLOPES, kernel.slopes[axis - 3])
    index = grid.index(value) + step
    while 0 <= index < len(grid):
        if axis < 3:
            yield replace(kernel, **{name: grid[index]})
        else:
            slopes = kernel.slopes
            yield replace(kernel, slopes=(*slopes[: axis - 3], grid[index], *slopes[axis - 2 :]))
        index += step
