"""Coders for sequences of symbols in which zeros or a few values are frequent."""

from collections.abc import Callable
from dataclasses import dataclass
from math import inf

import numpy as np
from numpy.typing import NDArray

from nas.packed import bits, huffman, range_coder
from nas.packed.code_length import code_bytes
from nas.packed.fields import Cursor, varint
from nas.packed.huffman import Symbols
from nas.packed.layout import ArtifactError, at_most

_GAP_WIDTHS = range(1, 13)


@dataclass(frozen=True)
class Coder:
    """`write` encodes symbols of a width of 1 to 8 bits, or returns None where it cannot; `read`
    decodes a number of symbols of a width.

    `least` is a bound that `write` never falls below, in bytes, for the number of symbols, of those
    that are not 0, and a width.

    `estimate` is nearly the length that `write` would take, in bytes, where it takes long to tell;
    None where it does not. `version` is the first version of the format with this coder.
    """

    write: Callable[[Symbols, int], bytes | None]
    read: Callable[[Cursor, int, int], Symbols]
    least: Callable[[int, int, int], int]
    estimate: Callable[[Symbols, int], float] | None = None
    version: int = 1


def _write_raw(symbols: Symbols, width: int) -> bytes:
    return bits.pack(symbols, width)


def _read_raw(cursor: Cursor, count: int, width: int) -> Symbols:
    symbols = cursor.packed(count, width).astype(np.uint8, copy=False)
    cursor.enter("weights")
    return symbols


def _write_mask(symbols: Symbols, width: int) -> bytes:
    mask = symbols != 0
    return np.packbits(mask).tobytes() + bits.pack(symbols[mask], width)


def _read_mask(cursor: Cursor, count: int, width: int) -> Symbols:
    mask = cursor.packed(count, 1).view(np.bool_)
    cursor.enter("masks")
    symbols = np.zeros(count, np.uint8)
    symbols[mask] = _read_raw(cursor, int(mask.sum()), width)
    return symbols


def split_at_gaps(symbols: Symbols, width: int) -> tuple[int, NDArray[np.uint16], Symbols]:
    """The width of gaps, each gap, and the symbol behind it, for symbols of `width` bits."""
    # Wide gaps cost bits at every symbol; narrow ones need extra zero symbols.
    (positions,) = symbols.nonzero()
    gaps = np.diff(positions, prepend=-1) - 1
    totals = {gap_width: len(gaps) + int((gaps >> gap_width).sum()) for gap_width in _GAP_WIDTHS}
    gap_width = min(totals, key=lambda gap_width: totals[gap_width] * (gap_width + width))
    total, widest = totals[gap_width], 2**gap_width - 1
    places = np.cumsum((gaps >> gap_width) + 1) - 1
    all_gaps, all_symbols = np.full(total, widest, np.uint16), np.zeros(total, np.uint8)
    all_gaps[places], all_symbols[places] = gaps & widest, symbols[positions]
    return gap_width, all_gaps, all_symbols


def _write_gaps(symbols: Symbols, width: int) -> bytes:
    gap_width, gaps, behind = split_at_gaps(symbols, width)
    return (
        varint(len(gaps))
        + bytes([gap_width])
        + bits.pack(gaps, gap_width)
        + bits.pack(behind, width)
    )


def _read_gaps(cursor: Cursor, count: int, width: int) -> Symbols:
    total, gap_width = cursor.varint(), cursor.byte()
    at_most("the symbols with a gap", total, count)
    if gap_width not in _GAP_WIDTHS:
        raise ArtifactError(f"a gap must have 1 to {_GAP_WIDTHS[-1]} bits, but got {gap_width}")
    positions = np.cumsum(cursor.packed(total, gap_width).astype(np.int64) + 1) - 1
    cursor.enter("masks")
    if total:
        at_most("the place of a symbol", int(positions[-1]), count - 1)
    symbols = np.zeros(count, np.uint8)
    symbols[positions] = _read_raw(cursor, total, width)
    return symbols


def _write_huffman(symbols: Symbols, width: int) -> bytes | None:
    # Lower bits are close to random, and fewer upper parts need fewer code lengths.
    counts = np.bincount(symbols, minlength=2**width)
    grouped = [counts.reshape(-1, 2**split).sum(1) for split in range(width)]
    coded = [
        (group, huffman.code_lengths(group)) for group in grouped if np.count_nonzero(group) > 1
    ]
    if not coded:
        return None

    def size(split: int) -> int:
        group, lengths = coded[split]
        codes = int(group @ lengths.astype(np.int64))
        return (
            bits.packed_bytes(len(lengths), 4)
            + bits.packed_bytes(len(symbols), split)
            + bits.packed_bytes(codes, 1)
        )

    split = min(range(len(coded)), key=size)
    lengths = coded[split][1]
    codes = huffman.encode(symbols >> np.uint8(split), lengths)
    return bytes([split]) + bits.pack(lengths, 4) + bits.pack(symbols, split) + codes


def _read_huffman(cursor: Cursor, count: int, width: int) -> Symbols:
    split = cursor.byte()
    at_most("a split", split, width - 1)
    lengths = cursor.packed(2 ** (width - split), 4).astype(np.uint8, copy=False)
    cursor.enter("codebooks")
    lower = cursor.packed(count, split)
    upper, used = huffman.decode(cursor.rest, count, lengths)
    cursor.take(used)
    cursor.enter("weights")
    return upper << np.uint8(split) | lower.astype(np.uint8, copy=False)


def _raw_bytes(count: int, _: int, width: int) -> int:
    return bits.packed_bytes(count, width)


def _mask_bytes(count: int, kept: int, width: int) -> int:
    return bits.packed_bytes(count, 1) + bits.packed_bytes(kept, width)


def _least_gap_bytes(_: int, kept: int, width: int) -> int:
    return len(varint(kept)) + 1 + bits.packed_bytes(kept, 1) + bits.packed_bytes(kept, width)


def _no_bytes(*_: int) -> int:
    return 0


def _parts(symbols: Symbols, width: int) -> tuple[Symbols, int]:
    """The upper bits that are range coded, and how many lower ones are not."""
    split = max(width - range_coder.WIDEST, 0)
    return symbols >> np.uint8(split), split


def _write_range(symbols: Symbols, width: int) -> bytes | None:
    if len(symbols) > range_coder.LONGEST:
        return None
    upper, split = _parts(symbols, width)
    return bits.pack(symbols, split) + range_coder.encode(upper, width - split)


def _read_range(cursor: Cursor, count: int, width: int) -> Symbols:
    at_most("the symbols of a range coder", count, range_coder.LONGEST)
    split = max(width - range_coder.WIDEST, 0)
    lower = cursor.packed(count, split)
    upper, used = range_coder.decode(cursor.rest, count, width - split)
    cursor.take(used)
    cursor.enter("weights")
    return upper << np.uint8(split) | lower.astype(np.uint8, copy=False)


def _range_bytes(symbols: Symbols, width: int) -> float:
    if len(symbols) > range_coder.LONGEST:
        return inf  # which it cannot write
    upper, split = _parts(symbols, width)
    return bits.packed_bytes(len(symbols), split) + code_bytes(upper, width - split)


CODERS: tuple[Coder, ...] = (
    Coder(_write_raw, _read_raw, _raw_bytes),
    Coder(_write_mask, _read_mask, _mask_bytes),
    Coder(_write_gaps, _read_gaps, _least_gap_bytes),
    Coder(_write_huffman, _read_huffman, _no_bytes),
    Coder(_write_range, _read_range, _no_bytes, _range_bytes, version=5),
)


def most_bytes(count: int, kept: int, width: int) -> int:
    """An upper bound for the shortest of raw, mask and gaps, in bytes, for `count` symbols of which
    at most `kept` are not 0.
    """
    raw = bits.packed_bytes(count, width)
    if kept == count:
        return raw
    mask = _mask_bytes(count, kept, width)
    # Each zero symbol that fills a gap stands for 2^gap_width other zeros, wherever those are.
    filled = (
        bits.packed_bytes(kept + (count - kept >> gap_width), gap_width + width)
        for gap_width in _GAP_WIDTHS
    )
    # Gaps and symbols each end on a whole byte.
    gaps = len(varint(count)) + 1 + min(filled) + 1
    return min(raw, mask, gaps)
