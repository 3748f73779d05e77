"""The names that the layers of a packed file have in the user's network.

A packed file has none. The trained weights beside it have, and a layer's integers are those weights,
rounded, up to a factor for each channel.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas.program.operations import Layer
from nas.program.program import Program
from nas.training.weights_file import read_weights

LEAST_LIKENESS = 0.6
"""Of the mean cosine over channels: signs alone, 1 bit, have some 0.8, and weights of others some 0.2."""


def layer_names(program: Program, weights: Path) -> dict[int, str]:
    """The names of those layers of the program, by their index, that are found among the trained
    weights, an .npz file; none if it is missing or damaged.
    """
    try:
        trained = read_weights(weights)
    except ValueError:
        return {}
    left = {name: rows for name, array in trained.items() if (rows := _rows(array)) is not None}
    found = dict[int, str]()
    for index, operation in enumerate(program.operations):
        if isinstance(operation, Layer) and (levels := _rows(operation.weights.levels)) is not None:
            name = _most_alike(levels, left)
            if name is not None:
                del left[name]
                found[index] = name.rpartition(".")[0] or name
    return found


def _rows(array: NDArray[Any]) -> NDArray[np.float64] | None:
    """The weights of a layer, [out, the others]; None if it is no array of weights."""
    if array.ndim < 2 or array.dtype.kind not in "fi" or not array.size:
        return None
    return array.reshape(len(array), -1).astype(np.float64)


def _most_alike(
    levels: NDArray[np.float64], trained: Mapping[str, NDArray[np.float64]]
) -> str | None:
    likeness = {
        name: _likeness(levels, weights)
        for name, weights in trained.items()
        if weights.shape == levels.shape
    }
    name = max(likeness, key=likeness.__getitem__, default=None)
    return None if name is None or likeness[name] < LEAST_LIKENESS else name


def _likeness(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """The mean over channels that are not 0 of the absolute cosine."""
    norms = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    products = np.abs((one * other).sum(1))
    return float((products[norms > 0] / norms[norms > 0]).mean()) if (norms > 0).any() else 0.0
