"""Layers that a function for all layers leaves as they are: the user is told which."""

import warnings
from collections.abc import Iterable

from torch import nn

from nas.layers import WeightLayer


def warn_of_left_alone(function: str, model: nn.Module, unchanged: Iterable[str] = ()) -> None:
    """Warns that `function` leaves alone the layers `unchanged`, and those of `model` that have
    matrices of weights but are neither linear nor convolutions of a kind that compressors know.

    The warning is attributed to the caller of the function that calls this.
    """
    others = {
        name: type(module).__name__
        for name, module in model.named_modules()
        if not isinstance(module, WeightLayer)
        and any(map(_is_matrix, module.parameters(recurse=False)))
    }
    left = [*unchanged, *(f"{name} ({kind})" for name, kind in others.items())]
    if left:
        warnings.warn(
            f"{function} leaves these layers as they are: {', '.join(left)}", stacklevel=3
        )


def _is_matrix(parameter: nn.Parameter) -> bool:
    return sum(size > 1 for size in parameter.shape) > 1
