"""Entropy calibration: the range that loses the least information."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

BINS = 2048
CANDIDATES = 100
# Added to every bin: an empty one would make the divergence infinite.
SMOOTHING = 1e-4


def entropy(values: Tensor, levels: int) -> tuple[float, float]:
    """The clipped range, out of 100, with the least Kullback-Leibler divergence of its levels from
    the values.

    As TensorRT calibrates (Migacz, 2017): the histogram of magnitudes is cut, its last bin takes
    the counts beyond the cut, and each level spreads its count evenly over its non-empty bins. With
    negative values half of the levels are for magnitudes, and both ends are clipped.
    """
    low, high = min(float(values.min()), 0.0), max(float(values.max()), 0.0)
    largest = max(-low, high)
    if largest == 0.0:
        return 0.0, 0.0
    counts = torch.histc(values.abs(), BINS, 0.0, largest).double().numpy()
    used = levels // 2 if low < 0.0 else levels
    edges = np.unique(np.linspace(min(used, BINS), BINS, CANDIDATES).round().astype(int))
    # Of equal ones the widest.
    best = min(reversed(edges), key=lambda edge: _divergence(counts, int(edge), used))
    reach = float(best) / BINS * largest
    return max(low, -reach), min(high, reach)


def _divergence(counts: NDArray[np.float64], edge: int, levels: int) -> float:
    """The divergence of the levels from the histogram that is cut at the bin `edge`."""
    inside = counts[:edge]
    wanted = inside.copy()
    wanted[-1] += counts[edge:].sum()
    level = np.arange(edge) * levels // edge
    full = inside > 0
    shared = np.bincount(level, inside, levels) / np.maximum(np.bincount(level, full, levels), 1.0)
    given = np.where(full, shared[level], 0.0)
    p, q = (bins / max(bins.sum(), 1.0) + SMOOTHING / edge for bins in (wanted, given))
    p, q = p / p.sum(), q / q.sum()
    return float((p * np.log(p / q)).sum())
