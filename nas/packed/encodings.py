"""The shortest encoding of a tensor of weights."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nas.packed.coders import CODERS, Coder
from nas.packed.fields import Cursor
from nas.packed.layout import ArtifactError

Weights = NDArray[np.int8]

CODEBOOK = 8
"""Added to the number of the coder where a codebook is written before the symbols."""
NEWEST_CODER = max(coder.version for coder in CODERS)
"""The first version of the format with all coders."""

AGAIN = 5
"""The number of the encoding that says which layer before has the same weights, and zero points."""
REPEATED = 7
"""The first version of the format with it."""

# An estimate takes as long as so many symbols do.
_FEW = 2**12
_ESTIMATE_ERROR = 0.01


@dataclass(frozen=True)
class Encoded:
    """Encoded weights, the number of their encoding, which their record stores, and the first version
    of the format with it.
    """

    encoding: int
    data: bytes
    version: int


@dataclass(frozen=True)
class _Spelling:
    """Weights as symbols of an alphabet, how many of them are not 0, what stands before their code,
    and what its number has added.
    """

    symbols: NDArray[np.uint8]
    kept: int
    width: int
    codebook: bytes
    flag: int


def encode(weights: Weights, bits: int, newest: int = NEWEST_CODER) -> Encoded:
    """The shortest encoding of `weights`; of those as short, the one of the lowest version and number.

    `newest` is the last version of the format whose coders are tried.
    """
    counts = np.bincount(weights.ravel().view(np.uint8), minlength=256)
    values = counts.nonzero()[0].astype(np.uint8).view(np.int8)
    spellings = [_spelling(weights, _levels(bits), b"", 0)]
    # A codebook that does not shorten the symbols cannot pay off.
    if _width(values) < bits:
        codebook = bytes([len(values) - 1]) + values.tobytes()
        spellings.append(_spelling(weights, values, codebook, CODEBOOK))
    best: Encoded | None = None
    # What is quickly written first: the others can often be ruled out then.
    for number, coder in sorted(enumerate(CODERS), key=lambda pair: pair[1].estimate is not None):
        for spelling in spellings:
            if coder.version <= newest and (number == 0 or spelling.width > 0):
                best = _shorter(best, number, coder, spelling)
    assert best is not None
    return best


def _spelling(
    weights: Weights, alphabet: NDArray[np.int8], codebook: bytes, flag: int
) -> _Spelling:
    symbol_of = np.zeros(256, np.uint8)
    symbol_of[alphabet.view(np.uint8)] = np.arange(len(alphabet))
    symbols = _translate(weights.ravel().view(np.uint8), symbol_of)
    return _Spelling(symbols, int(np.count_nonzero(symbols)), _width(alphabet), codebook, flag)


def _shorter(
    best: Encoded | None, number: int, coder: Coder, spelling: _Spelling
) -> Encoded | None:
    """What the coder makes of the weights if it is shorter than `best`, or as short and simpler."""
    symbols, width, codebook = spelling.symbols, spelling.width, spelling.codebook
    if best is not None:
        least = coder.least(len(symbols), spelling.kept, width)
        if least + len(codebook) > len(best.data):
            return best
    if best is not None and coder.estimate is not None and len(symbols) > _FEW:
        nearly = (1 - _ESTIMATE_ERROR) * coder.estimate(symbols, width) + len(codebook)
        if nearly > len(best.data):
            return best
    data = coder.write(symbols, width)
    if data is None:
        return best
    found = Encoded(number + spelling.flag, codebook + data, coder.version)
    return min(
        filter(None, (best, found)), key=lambda each: (len(each.data), each.version, each.encoding)
    )


def decode(cursor: Cursor, encoding: int, bits: int, count: int) -> Weights:
    """The next `count` weights of `bits` bits.

    Raises:
        ArtifactError: if they are missing or malformed, or encoded as in a later version than that
            of the file.
    """
    coder, shared = encoding % CODEBOOK, encoding >= CODEBOOK
    known = [number for number, each in enumerate(CODERS) if each.version <= cursor.version]
    if coder not in known:
        raise ArtifactError(
            f"the coder of weights must be 0 to {max(known)} in version {cursor.version}, but is {coder}"
        )
    alphabet = _read_codebook(cursor) if shared else _levels(bits)
    if len(alphabet) == 1 and coder != 0:
        raise ArtifactError(f"a codebook of one value must have coder 0, but has {coder}")
    symbols = CODERS[coder].read(cursor, count, _width(alphabet))
    largest = int(symbols.max())
    if largest >= len(alphabet):
        raise ArtifactError(f"symbols must lie in 0 … {len(alphabet) - 1}, but one is {largest}")
    weights: Weights = _translate(symbols, alphabet.view(np.uint8)).view(np.int8)
    return weights


def _read_codebook(cursor: Cursor) -> NDArray[np.int8]:
    values = np.frombuffer(cursor.take(cursor.byte() + 1), np.int8)
    cursor.enter("codebooks")
    if not bool((np.diff(values.view(np.uint8).astype(np.int16)) > 0).all()):
        raise ArtifactError(
            f"the values of a codebook must ascend as unsigned bytes, but are {values.tolist()}"
        )
    return values


def _levels(bits: int) -> NDArray[np.int8]:
    """The weight of each symbol of `bits` bits, without a codebook."""
    if bits == 1:
        return np.array([1, -1], np.int8)
    levels: NDArray[np.int8] = ((np.arange(2**bits) ^ 2 ** (bits - 1)) - 2 ** (bits - 1)).astype(
        np.int8
    )
    return levels


def _width(alphabet: NDArray[np.int8]) -> int:
    return (len(alphabet) - 1).bit_length()


def _translate(values: NDArray[np.uint8], table: NDArray[np.uint8]) -> NDArray[np.uint8]:
    # Indexing would need an index of eight bytes for each value.
    return np.frombuffer(bytearray(values).translate(table.tobytes().ljust(256, b"\0")), np.uint8)
