"""k-means in one dimension, for the codebooks of shared weights."""

import numpy as np
from numpy.typing import NDArray

ROUNDS = 100

Vector = NDArray[np.float64]


def cluster(weights: Vector, entries: int) -> tuple[Vector, NDArray[np.intp]]:
    """The centers [entries] of k-means on weights [N], ascending, and the index of the center of
    each weight.

    The initial centers are evenly spaced between the smallest and the largest weight, so that the
    rare large weights keep centers (Han et al., 2016). A center that is nearest to no weight moves
    to the weight with the largest error.
    """
    order = np.sort(weights)
    sums = np.concatenate([[0.0], np.cumsum(order)])
    centers = np.linspace(order[0], order[-1], entries)
    for _ in range(ROUNDS):
        # In one dimension, clusters are the spans of sorted weights between the midpoints of
        # centers.
        cuts = np.concatenate(
            [[0], np.searchsorted(order, (centers[1:] + centers[:-1]) / 2), [len(order)]]
        )
        counts = np.diff(cuts)
        moved = np.where(counts > 0, np.diff(sums[cuts]) / np.maximum(counts, 1), centers)
        moved = moved[counts > 0]
        while len(moved) < entries:
            moved = np.sort(np.append(moved, _farthest(order, moved)))
        if np.array_equal(moved, centers):
            break
        centers = moved
    return centers, _nearest(weights, centers)


def _nearest(weights: Vector, centers: Vector) -> NDArray[np.intp]:
    """The index of the nearest of ascending centers for each weight."""
    return np.searchsorted((centers[1:] + centers[:-1]) / 2, weights)


def _farthest(weights: Vector, centers: Vector) -> float:
    """The weight that is farthest from its nearest center."""
    return float(weights[np.abs(weights - centers[_nearest(weights, centers)]).argmax()])
