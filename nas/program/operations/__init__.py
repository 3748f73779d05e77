"""The operations of the integer program, one file for each family.

Tensors hold unsigned integers q of `bits` bits that stand for scale · (q - zero). A sum of products
is brought to the scale of its result by a multiplier m of 16 bits and a shift s: q = zero +
floor((sum · m + 2^(s-1)) / 2^s), clamped. Weights of b bits have a bias that is finer than their
sum by k = max(0, 7 - max(b, 2)) bits: sum and shift are then 2^k · sum + bias and s + k. Levels of
weights with zero points have one bit more, and k = max(0, 6 - b).

A class defines all that an operation means: the shape of its result, what it refuses, how it is
computed, and which of its channels can be removed. Each file lists in `__all__` what it adds.
"""

from nas.program.operations.joins import *  # noqa: F403
from nas.program.operations.layers import *  # noqa: F403
from nas.program.operations.moves import *  # noqa: F403
from nas.program.operations.operation import *  # noqa: F403
from nas.program.operations.pixels import *  # noqa: F403
from nas.program.operations.pointwise import *  # noqa: F403
from nas.program.operations.pooling import *  # noqa: F403
