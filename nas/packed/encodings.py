"""The shortest encoding of a tensor of weights."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nas.packed.coders import CODERS
from nas.packed.fields import Cursor
from nas.packed.layout import ArtifactError

Weights = NDArray[np.int8]

CODEBOOK = 8
"""Added to the number of the coder where a codebook is written before the symbols."""


@dataclass(frozen=True)
class Encoded:
    """Encoded weights, and the number of their encoding, which their record stores."""

    encoding: int
    data: bytes


def encode(weights: Weights, bits: int) -> Encoded:
    """The shortest encoding of `weights`; of those as short, the simplest."""
    values = np.unique(weights.ravel().view(np.uint8)).view(np.int8)
    candidates = _encodings(weights, _levels(bits), 0, b"")
    # A codebook that does not shorten the symbols cannot pay off.
    if _width(values) < bits:
        candidates += _encodings(
            weights, values, CODEBOOK, bytes([len(values) - 1]) + values.tobytes()
        )
    return min(candidates, key=lambda encoded: (len(encoded.data), encoded.encoding))


def _encodings(
    weights: Weights, alphabet: NDArray[np.int8], flag: int, codebook: bytes
) -> list[Encoded]:
    symbol_of = np.zeros(256, np.uint8)
    symbol_of[alphabet.view(np.uint8)] = np.arange(len(alphabet))
    symbols = _translate(weights.ravel().view(np.uint8), symbol_of)
    coders = CODERS if len(alphabet) > 1 else CODERS[:1]
    written = [
        (number, coder.write(symbols, _width(alphabet))) for number, coder in enumerate(coders)
    ]
    return [Encoded(number + flag, codebook + data) for number, data in written if data is not None]


def decode(cursor: Cursor, encoding: int, bits: int, count: int) -> Weights:
    """The next `count` weights of `bits` bits.

    Raises:
        ArtifactError: if they are missing or malformed.
    """
    coder, shared = encoding % CODEBOOK, encoding >= CODEBOOK
    if coder >= len(CODERS):
        raise ArtifactError(f"the coder of weights must be 0 to {len(CODERS) - 1}, but is {coder}")
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
