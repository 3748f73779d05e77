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
Words = NDArray[np.uint64]

_ENCODE_BLOCK = 2**16
_DECODE_BLOCK = 2**15
_FULL = 2**LONGEST
# So many symbols at a time, on average, are worth looking them up together.
_SEVERAL = 1.5
# No block has so many codes.
_MANY = 8 * _DECODE_BLOCK + LONGEST


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
    code_of, length_of = np.zeros(len(lengths), np.uint64), lengths.astype(np.uint64)
    code_of[order] = (np.cumsum(shares) - shares).astype(np.uint64) >> (LONGEST - length_of[order])
    total = int(np.bincount(symbols, minlength=len(lengths)) @ lengths.astype(np.int64))
    words, first = np.zeros(total // 64 + 2, np.uint64), 0
    for start in range(0, len(symbols), _ENCODE_BLOCK):
        block = symbols[start : start + _ENCODE_BLOCK]
        first = _write_codes(words, first, code_of[block], length_of[block])
    return words.astype(">u8").tobytes()[: (total + 7) // 8]


def _write_codes(words: Words, first: int, codes: Words, lengths: Words) -> int:
    """Writes codes from bit `first` of the words on, and returns the bit behind them."""
    for _ in range(2):  # Four codes are at most 60 bits.
        if len(codes) % 2:
            codes, lengths = np.append(codes, np.uint64(0)), np.append(lengths, np.uint64(0))
        codes = codes[::2] << lengths[1::2] | codes[1::2]
        lengths = lengths[::2] + lengths[1::2]
    ends = np.cumsum(lengths) + np.uint64(first)
    starts = ends - lengths
    at, offsets = starts >> np.uint64(6), starts & np.uint64(63)
    left = codes << (np.uint64(64) - lengths)  # lengths are 1 or more
    begins = np.append(0, np.nonzero(np.diff(at))[0] + 1)
    # No two codes share a bit, so that sums are unions.
    words[at[begins]] |= np.add.reduceat(left >> offsets, begins)
    over = offsets + lengths > np.uint64(64)
    words[at[over] + np.uint64(1)] |= left[over] << (np.uint64(64) - offsets[over])
    return int(ends[-1])


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
    if count > _MANY:
        done, position = _decode_blocks(data, symbols, symbol_of, length_of)
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


def _decode_blocks(
    data: memoryview, symbols: Symbols, symbol_of: Symbols, length_of: Lengths
) -> tuple[int, int]:
    """Decodes whole blocks into `symbols`, as long as none can hold the last of them, several symbols at
    a time; returns how many those are, and the bit behind their codes.
    """
    several, whole, spans = _of_windows(symbol_of, length_of)
    done, position = 0, 0
    if whole.mean(0).sum() < _SEVERAL:
        return done, position
    while len(symbols) - done > _MANY:
        first = position // 8
        block = data[first : first + _DECODE_BLOCK + 2]
        if len(block) < _DECODE_BLOCK + 2:
            break
        windows = _windows(np.frombuffer(block, np.uint8))
        steps = spans[windows].tobytes()
        at, end, begins = position % 8, len(steps), bytearray(len(steps))
        while at < end:
            begins[at] = 1
            at += steps[at]
        seen = windows[np.frombuffer(begins, np.bool_)]
        found = several[seen][whole[seen]]
        symbols[done : done + len(found)] = found
        done, position = done + len(found), 8 * first + at
    return done, position


def _of_windows(
    symbol_of: Symbols, length_of: Lengths
) -> tuple[Symbols, NDArray[np.bool_], Lengths]:
    """For all 15 bits the symbols of the whole codes among them, [2^15, most], which of those there
    are, and the bits of their codes together.
    """
    most = LONGEST // int(length_of.min())
    several, whole = np.zeros((_FULL, most), np.uint8), np.zeros((_FULL, most), np.bool_)
    bits, spans, fits = np.arange(_FULL), np.zeros(_FULL, np.uint8), np.ones(_FULL, np.bool_)
    for place in range(most):
        left = bits << spans & (_FULL - 1)
        fits &= spans + length_of[left] <= LONGEST
        several[:, place], whole[:, place] = symbol_of[left], fits
        spans += np.where(fits, length_of[left], np.uint8(0))
    return several, whole, spans


def _windows(data: NDArray[np.uint8]) -> NDArray[np.uint32]:
    """The 15 bits that begin at each bit of all but the last two bytes."""
    wide = data.astype(np.uint32)
    words = wide[:-2] << 16 | wide[1:-1] << 8 | wide[2:]
    shifts = np.arange(24 - LONGEST, 24 - LONGEST - 8, -1, dtype=np.uint32)
    windows: NDArray[np.uint32] = (words[:, None] >> shifts & (_FULL - 1)).ravel()
    return windows
