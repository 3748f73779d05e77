"""Sums as integers of a result, in whole numbers.

A sum t is scaled as zero + floor((t · m + 2^(s-1)) / 2^s). With 2^(s-1) + zero · 2^s added before
the shift, everything that is clamped from below is negative or small, so that only numbers of 0 and
more are shifted, which C defines.
"""

from nas.program.operations import Requantized
from nas.program.tensors import TensorType

INT32 = 2**31 - 1


def half(operation: Requantized, result: TensorType, finer: int = 0) -> int:
    """What is added to a scaled sum before it is shifted by `finer` bits more than the scaling says:
    a half, and the zero point.
    """
    shift = operation.scaling.shift + finer
    return (result.zero << shift) + (1 << (shift - 1))


def furthest(tensor: TensorType) -> int:
    """The largest distance of an integer from the zero point."""
    return max(tensor.zero, tensor.top - tensor.zero)


def width_of(*terms: int) -> int:
    """32 if integers of 32 bits hold a sum whose terms are no further from 0 than these, else 64."""
    return 32 if sum(abs(term) for term in terms) <= INT32 else 64
