"""The weights of a layer as bytes that a device reads one after the other."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nas.packed import bits
from nas.packed.coders import split_at_gaps

Symbols = NDArray[np.uint8]


@dataclass(frozen=True)
class StoredWeights:
    """Symbols of `width` bits, packed; `values` are the weights that they stand for, None where they
    are the weights themselves.

    `marks` say which symbols are not 0 if `gap_width` is 0, else how many zeros stand before each
    of `count` symbols, in so many bits; None where all symbols are stored.
    """

    symbols: bytes
    width: int
    values: NDArray[np.int8] | None = None
    marks: bytes | None = None
    gap_width: int = 0
    count: int = 0

    @property
    def size(self) -> int:
        """The bytes that they take."""
        return len(self.symbols) + sum(
            len(part) for part in (self.marks, self.values) if part is not None
        )


def stored(weights: NDArray[np.int8], width: int) -> StoredWeights:
    """The shortest form of weights of `width` bits, in their order: all of them, those that are not
    0 with a mask or with gaps, and the same of a codebook's indices.

    These are the forms that `flash_bytes` counts, which can be read without tables and in one pass.
    """
    flat = weights.ravel()
    plain = (flat < 0 if width == 1 else flat.view(np.uint8) & (2**width - 1)).astype(np.uint8)
    found = _forms(plain, width, None)
    # Ascending as unsigned bytes, so that 0 comes first and needs no symbol.
    values = np.unique(flat.view(np.uint8))
    indices = np.searchsorted(values, flat.view(np.uint8)).astype(np.uint8)
    shorter = (len(values) - 1).bit_length()
    if shorter < width:
        found += _forms(indices, shorter, values.view(np.int8))
    return min(found, key=lambda form: form.size)


def _forms(symbols: Symbols, width: int, values: NDArray[np.int8] | None) -> list[StoredWeights]:
    """All forms, those that are read fastest first."""
    forms = [StoredWeights(bits.pack(symbols, width), width, values)]
    if width > 0 and not symbols.all():
        kept = symbols != 0
        packed = bits.pack(symbols[kept], width)
        forms.append(StoredWeights(packed, width, values, np.packbits(kept).tobytes()))
        gap_width, gaps, behind = split_at_gaps(symbols, width)
        if len(gaps) > 0:
            packed, marks = bits.pack(behind, width), bits.pack(gaps, gap_width)
            forms.append(StoredWeights(packed, width, values, marks, gap_width, len(gaps)))
    return forms
