"""The packed file, byte by byte; with nas.packed.records and nas.packed.range_coder enough to write a
reader from.

A byte is unsigned. A varint is LEB128: seven bits in each byte, the lowest first, the top bit set
on all but the last byte; it is at most 2³² - 1, in as few bytes as possible. A pair is two numbers
a, b: one varint 2a if they are equal, else the varints 2a + 1 and b. float32, uint16 and uint32 are
little-endian. Packed bits fill each byte from its top bit down, the highest bit of a number first,
and end on a whole byte, padded with zero bits; negative numbers are in two's complement.

A file has the lowest version with all of its kinds and coders, but at least 2: version 1 is only
read. Version 1 has other biases; later versions differ in their kinds and coders alone. Two bits are added
to the version: 64 says that preprocessing follows the operations, and 128 that the names of the classes
follow these. The program is the same with them and without.

    file        4 bytes 89 4E 41 53 · byte version · varint number of operations · input · operations
                · preprocessing, if 64 is added to the version · names, if 128 is
                · uint32 CRC-32 (the one of zlib) of all bytes before it
    input       byte rank, 1 or 3, or since version 6 also 2 · rank varints, the shape [F], [C, H, W] or [C, L] · type
    type        float32 scale · byte zero point · byte bits
    operation   byte kind · sources · the fields of the kind, which nas.packed.records specifies

    preprocessing
                byte: 0 if raw values are uint8, 1 if int16, 2 if float32 · + 4 if means are written, + 8 if deviations are,
                + 16 if there is one of those for each channel or feature, else one for all, + 32 if a limit is written
                · float32 means, not all 0 · float32 deviations, above 0 · float32 limit, above 0. Without means they
                are 0, and without deviations 255 for uint8, 32,768 for int16 and 1 for float32, and are so
                written only if some are others; of each channel are written only those that are not all equal.
                A raw value x becomes (x - mean) / deviation, 0 if x is NaN, clipped to -limit … limit if there is one,
                and that the integer round(it / scale) + zero point, clipped to those of the input
    names       for each class, in the order of the logits: varint number of bytes · so many bytes of UTF-8, one or more,
                unlike those of other classes

    source      varint: 0 for the tensor before this operation, 1 for the one before that, …; tensor 0 is the input
    scaling     byte shift · byte low · byte high
    record      byte: weight bits + 16 · coder + 128 if there is a codebook; for weights with zero points, of 2 to 8 bits,
                (bits + 8) modulo 16 stands for the bits: 10 … 15 for 2 … 7, and 0 for 8

Weights are in row-major order, [out, in / groups, kh, kw] or [out, in]; `in` is the first dimension
of the source. A weight is a symbol of an alphabet:

    codebook     byte count - 1 · so many int8, ascending as unsigned bytes: symbol i is entry i, and symbols have as many
                 bits as count - 1 needs
    without      symbols have the weights' bits and are the weights in two's complement; of one bit: 0 is 1 and 1 is -1

A weight w is multiplied as it is; a weight of b bits in a channel with the zero point z is multiplied
as ((w + z) modulo 2^b) - z.

Symbols of `width` bits are written by one of the coders:

    0 raw        packed
    1 mask       a packed bit for each symbol, set where it is not 0 · those that are not 0, packed
    2 gaps       varint count · byte gap width · gaps packed · symbols packed. So many zeros as the gap says, then the symbol;
                 where a gap has too few bits, a symbol 0 of its own stands between. What is left is 0.
    3 huffman    byte split · a length of four bits for each upper part, packed · lower parts of `split` bits, packed · codes.
                 The upper part of a symbol, its `width - split` top bits, is written as a canonical Huffman code: of the
                 length listed (0: does not occur), codes numbered by length, then by upper part. Lengths leave no code unused.
    4 range      since version 5, for at most 2^20 symbols: lower parts of width - 4 bits, packed, if that is above 0 · the
                 upper parts, of up to 4 bits, as nas.packed.range_coder specifies

Since version 7 the coder 5 stands for weights and zero points of a layer before, with the same shape and bits, and
there are none of its own: varint, 1 for the layer before this one, 2 for the one before that, …
"""

MAGIC = b"\x89NAS"
FIRST_WRITTEN = 2
"""The lowest version that is still written; files of version 1 are only read."""
CHECKSUM_BYTES = 4
PREPARED = 64
"""The bit of the version that says that preprocessing follows the operations."""
NAMED = 128
"""The bit of the version that says that class names follow the operations, and preprocessing if there is some."""
AFFINE = 8
"""Added, modulo 16, to the bits of weights with zero points in their record."""

SIGNALS = 6
"""The first version whose input may have two dimensions."""

MAX_OPERATIONS = 2**12
MAX_INPUT = 2**24
MAX_ELEMENTS = 2**26
MAX_WEIGHTS = 2**28
MAX_WINDOW = 2**16 - 1
MAX_FILE = 2**30
"""The bytes of a file, which readers of files need not exceed."""


class ArtifactError(ValueError):
    """An invalid packed file, or a program too large for one: the place, the requirement, and what
    was found.
    """


def at_most(what: str, value: int, limit: int) -> None:
    """Raises an ArtifactError if `value` is above `limit`."""
    if value > limit:
        raise ArtifactError(f"{what} must be at most {limit:,}, but got {value:,}")
