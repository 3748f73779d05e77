"""Canonical Huffman codes of up to 15 bits.

Lengths alone determine the code: codes of one length are consecutive numbers in the order of their
symbols, and the first code of a length is twice the number after the last code of the length before
(Moffat and Turpin, 1997).
"""

import heapq
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas.packed.layout import ArtifactError

LONGEST = 15

Symbols = NDArray[np.uint8]
Lengths = NDArray[np.uint8]

_ENCODE_BLOCK = 2**16
_DECODE_BLOCK = 2**15
_FULL = 2**LONGEST


def code_lengths(counts: NDArray[np.integer[Any]]) -> Lengths:
    """The length of each symbol's code, 0 for symbols that do not occur; optimal unless a code would
    be longer than the longest.
    """
    lengths = _tree_depths(counts.tolist())
    while lengths.max() > LONGEST:
        # Closer counts make a flatter tree; if all are 1, codes have 8 bits at most.
        counts = (counts + 1) >> 1
        lengths = _tree_depths(counts.tolist())
    return lengths.astype(np.uint8)


def _tree_depths(counts: list[int]) -> NDArray[np.int64]:
    heap = [(count, node) for node, count in enumerate(counts) if count > 0]
    heapq.heapify(heap)
    parents = dict[int, int]()
    node = len(counts)
    while len(heap) > 1:
        (first_count, first), (second_count, second) = heapq.heappop(heap), heapq.heappop(heap)
        parents[first] = parents[second] = node
        heapq.heappush(heap, (first_count + second_count, node))
        node += 1
    depths = np.zeros(node, np.int64)
    for child in sorted(parents, reverse=True):
        depths[child] = depths[parents[child]] + 1
    return depths[: len(counts)]


def _ordered(lengths: Lengths) -> tuple[Symbols, NDArray[np.int64]]:
    """The symbols that occur, in the order of their codes, and the share of the code space that each
    takes.
    """
    order = np.lexsort((np.arange(len(lengths)), lengths))
    order = order[lengths[order] > 0]
    return order.astype(np.uint8), np.int64(_FULL) >> lengths[order].astype(np.int64)


def encode(symbols: Symbols, lengths: Lengths) -> bytes:
    """The codes of `symbols`, each of which must have a length, one after the other."""
    order, shares = _ordered(lengths)
    codes = np.cumsum(shares) - shares
    columns = np.arange(LONGEST)
    rows = np.full((len(lengths), LONGEST), 2, np.uint8)
    rows[order] = np.where(
        columns < lengths[order, None], codes[:, None] >> (LONGEST - 1 - columns) & 1, 2
    )
    parts = []
    for start in range(0, len(symbols), _ENCODE_BLOCK):
        block = rows[symbols[start : start + _ENCODE_BLOCK]]
        parts.append(block[block < 2])
    return np.packbits(np.concatenate(parts)).tobytes()


def decode(data: memoryview, count: int, lengths: Lengths) -> tuple[Symbols, int]:
    """`count` symbols, and how many bytes of `data` their codes take.

    Raises:
        ArtifactError: if the lengths form no complete code, or `data` ends before the last symbol.
    """
    if count > 8 * len(data):
        raise ArtifactError(
            f"the codes of {count:,} symbols must follow, but there are {len(data):,} bytes"
        )
    order, shares = _ordered(lengths)
    if shares.sum() != _FULL:
        raise ArtifactError(
            f"code lengths must leave no code unused and none twice, but are {lengths.tolist()}"
        )
    symbol_of, length_of = np.repeat(order, shares), np.repeat(lengths[order], shares)
    symbols, done, position = np.empty(count, np.uint8), 0, 0
    while done < count:
        first = position // 8
        # Two bytes beyond the block, where its last code may end. Codes read from the zeros behind
        # the data are detected below.
        block = data[first : first + _DECODE_BLOCK + 2].tobytes()
        if not block:
            break
        block = block if len(block) == _DECODE_BLOCK + 2 else block + bytes(2)
        windows = _windows(np.frombuffer(block, np.uint8))
        steps = length_of[windows].tobytes()
        at, end, starts = position % 8, len(steps), list[int]()
        for _ in range(count - done):
            if at >= end:
                break
            starts.append(at)
            at += steps[at]
        symbols[done : done + len(starts)] = symbol_of[windows[starts]]
        done, position = done + len(starts), 8 * first + at
    if done < count or position > 8 * len(data):
        raise ArtifactError(
            f"the codes of {count:,} symbols must follow, but the bytes end before the last one"
        )
    used = (position + 7) // 8
    if position % 8 and data[used - 1] & (0xFF >> position % 8):
        raise ArtifactError(
            f"the bits behind the last code must be 0, but the last byte is {data[used - 1]:#04x}"
        )
    return symbols, used


def _windows(data: NDArray[np.uint8]) -> NDArray[np.uint32]:
    """The 15 bits that begin at each bit of all but the last two bytes."""
    wide = data.astype(np.uint32)
    words = wide[:-2] << 16 | wide[1:-1] << 8 | wide[2:]
    shifts = np.arange(24 - LONGEST, 24 - LONGEST - 8, -1, dtype=np.uint32)
    windows: NDArray[np.uint32] = (words[:, None] >> shifts & (_FULL - 1)).ravel()
    return windows
