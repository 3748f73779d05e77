"""How sums, times a multiplier, become integers: the rules of the runtimes."""

from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

if TYPE_CHECKING:
    from torch import Tensor

Rounding = Literal["single", "double"]
"""`single`: once, halves up, as programs are defined and LiteRT's kernels compute. `double`: as
gemmlowp, TensorFlow Lite Micro and CMSIS-NN do (Jacob et al., 2018): the product with a fraction of
1/2 to 1 is rounded, halves up, then shifted right and rounded again, halves away from zero.
"""

ROUNDINGS: tuple[Rounding, ...] = get_args(Rounding)


def check_rounding(rounding: str) -> None:
    """Refuses an unknown rule.

    Raises:
        ValueError: with those that there are.
    """
    if rounding not in ROUNDINGS:
        raise ValueError(f"a rounding must be one of {ROUNDINGS}, but got {rounding!r}")


def rounded_twice(scaled: "Tensor", factors: ArrayLike) -> "Tensor":
    """Integers in 64-bit floats for sums times `factors`, which broadcast to them; overwrites them.

    A factor is a fraction of 1/2 to 1 over a power of two, by whose exponent is shifted; one of 1
    or more shifts up first, which rounds nothing.
    """
    import torch

    _, exponents = np.frexp(np.asarray(factors, np.float64))
    steps = torch.as_tensor(
        np.exp2(np.maximum(-exponents, 0).astype(np.float64)), device=scaled.device
    )
    products = scaled.mul_(steps).add_(0.5).floor_()
    return (products.abs() / steps).add_(0.5).floor_().copysign_(products)
