"""How long the code of a range coder will be, in a fraction of the time that it takes."""

import numpy as np
from numpy.typing import NDArray

from nas.packed.huffman import Symbols
from nas.packed.range_coder import HALF, SHIFTS, TOP, roots

_BLOCK = 32

Series = NDArray[np.float64]


def code_bytes(symbols: Symbols, width: int) -> float:
    """Nearly the length of `range_coder.encode`: its probabilities are computed for all bits of a
    node at once, and not rounded.
    """
    first, drop = roots(width)
    total, before = 0.0, np.append(np.uint8(0), symbols[:-1])
    nodes = (first | before >> np.uint8(drop)).astype(np.uint8)
    for shift in reversed(range(width)):
        bits = symbols >> np.uint8(shift) & np.uint8(1)
        order = np.argsort(nodes, kind="stable")
        ends = np.cumsum(np.bincount(nodes))
        total += sum(_bits(zeros) for zeros in np.split(1.0 - bits[order], ends[:-1]))
        nodes = nodes << np.uint8(1) | bits
    return total / 8 + 2


def _bits(zeros: Series) -> float:
    """What the bits of one node cost; `zeros` is 1 where a bit is 0."""
    if len(zeros) == 0:
        return 0.0
    chances, chance = [], HALF / (TOP + 1)
    for zero, shift in zip(zeros.tolist(), SHIFTS[:-1], strict=False):
        chances.append(chance)
        chance += (zero - chance) * 2.0**-shift
    rate = 2.0 ** -SHIFTS[-1]
    later = _recurrence(zeros[len(chances) :] * rate, 1 - rate, chance)
    share = np.append(chances, later).clip(3 / 4096, 4092 / 4096)
    return -float(np.log2(np.where(zeros > 0, share, 1 - share)).sum())


def _recurrence(values: Series, decay: float, first: float) -> Series:
    """y where y[0] = first and y[t + 1] = decay · y[t] + values[t], as long as `values`.

    Whole rows are one matrix product; how the rows begin is such a recurrence again.
    """
    if len(values) == 0:
        return values
    rows = np.append(values, np.zeros(-len(values) % _BLOCK)).reshape(-1, _BLOCK)
    powers = decay ** np.arange(_BLOCK)
    ages = np.arange(_BLOCK) - 1 - np.arange(_BLOCK)[:, None]
    starts = np.array([first])
    if len(rows) > 1:
        starts = _recurrence(rows @ powers[::-1], decay**_BLOCK, first)
    found: Series = rows @ np.where(ages < 0, 0.0, powers[ages]) + starts[:, None] * powers
    return found.ravel()[: len(values)]
