"""An adaptive binary range coder (Martin, 1979), with bit trees and carries as in LZMA.

A symbol of `width` bits, 1 to 4, is a path through a binary tree, its highest bit first: from node n a
bit b leads to node 2n + b. There is a root for each value of the c highest bits of the symbol before
(of 0 before the first), where c is the smaller of `width` and 3: root 2^c + value. So the nodes with a
bit are 2^c … 2^(c + width) - 1, and symbols cost fewer bits where neighbours are alike.

Every node counts the bits that it has had, up to 31, and has the probability p that the next is 0, in
65536ths: 32768 at first. A bit is coded with 4096ths, t = p >> 4, which is 3 … 4092. Then, where
s = min(6, the binary digits of the count + 1), so that p is at first nearly the share of zeros, later
their moving average,

    p += (65535 - p) >> s    if the bit was 0
    p -= p >> s              if it was 1

The decoder has two unsigned numbers of 32 bits: `span`, at first 2^32 - 1, and `code`, at first the
first four bytes, the highest first. For each bit:

    bound = (span >> 12) · t
    code < bound:  the bit is 0; span = bound
    otherwise:     the bit is 1; span -= bound; code -= bound
    while span < 2^24:  span <<= 8; code = code << 8 + the next byte

The last two bytes that it reads are not of the data: what follows, at least a checksum, changes no
symbol. Without them `code` ends below 2^16; another end shows damage.

The encoder finds the least number that decodes to its symbols, rounds it up to one whose last two bytes
are 0, and leaves those out.
"""

import numpy as np

from nas.packed.huffman import Symbols
from nas.packed.layout import ArtifactError, at_most

WIDEST = 4
"""The most bits of a symbol."""
LONGEST = 2**20
"""The most symbols of one code: they are coded bit by bit, one after the other."""
SHIFTS = tuple(min(6, (count + 1).bit_length()) for count in range(32))
"""How slowly a node adapts that has had so many bits."""
HALF, TOP = 2**15, 2**16 - 1

_NEXT = (*range(1, 32), 31)
_CONTEXT_BITS = 3
_FULL, _LEAST = 2**32 - 1, 2**24
_AHEAD = 2


def roots(width: int) -> tuple[int, int]:
    """The number of roots, and how many low bits of the symbol before choose none of them."""
    context = min(width, _CONTEXT_BITS)
    return 1 << context, width - context


def encode(symbols: Symbols, width: int) -> bytes:
    """The code of `symbols`, at most `LONGEST`, of `width` bits."""
    first, drop = roots(width)
    chances, counts = [HALF] * (first << width), [0] * (first << width)
    paths = [
        tuple(symbol >> shift & 1 for shift in reversed(range(width))) for symbol in range(2**width)
    ]
    low, span, symbol, data = 0, _FULL, 0, bytearray()
    for following in symbols.tolist():
        node, symbol = first | symbol >> drop, following
        for bit in paths[symbol]:
            chance, count = chances[node], counts[node]
            bound = (span >> 12) * (chance >> 4)
            counts[node] = _NEXT[count]
            if bit:
                low += bound
                span -= bound
                chances[node] = chance - (chance >> SHIFTS[count])
            else:
                span = bound
                chances[node] = chance + (TOP - chance >> SHIFTS[count])
            node += node + bit
            while span < _LEAST:
                if low > _FULL:
                    _carry(data)
                data.append(low >> 24 & 0xFF)
                low, span = low << 8 & _FULL, span << 8
    low += TOP
    if low > _FULL:
        _carry(data)
    return bytes(data) + (low & _FULL).to_bytes(4)[:-_AHEAD]


def _carry(data: bytearray) -> None:
    """Adds 1 to the number that the bytes are."""
    place = len(data) - 1
    while data[place] == 0xFF:
        data[place] = 0
        place -= 1
    data[place] += 1


def decode(data: memoryview, count: int, width: int) -> tuple[Symbols, int]:
    """`count` symbols, and how many bytes of `data` they take.

    Raises:
        ArtifactError: if there are more than `LONGEST`, `data` ends before the last one, or `encode`
            writes other bytes for them.
    """
    at_most("the symbols of a range coder", count, LONGEST)
    first, drop = roots(width)
    chances, counts = [HALF] * (first << width), [0] * (first << width)
    levels, mask, symbol, symbols = range(width), 2**width - 1, 0, bytearray()
    ahead = bytes(data) + bytes(_AHEAD)
    code, span, place = int.from_bytes(ahead[:4]), _FULL, 4
    try:
        for _ in range(count):
            node = first | symbol >> drop
            for _ in levels:
                chance, seen = chances[node], counts[node]
                bound = (span >> 12) * (chance >> 4)
                counts[node] = _NEXT[seen]
                if code < bound:
                    span = bound
                    chances[node] = chance + (TOP - chance >> SHIFTS[seen])
                    node += node
                else:
                    code -= bound
                    span -= bound
                    chances[node] = chance - (chance >> SHIFTS[seen])
                    node += node + 1
                while span < _LEAST:
                    code, span = code << 8 | ahead[place], span << 8
                    place += 1
            symbol = node & mask
            symbols.append(symbol)
    except IndexError:
        place = len(ahead) + 1
    if place > len(ahead):
        raise ArtifactError(
            f"the codes of {count:,} symbols must follow, but the bytes end before the last one"
        )
    rest = code - int.from_bytes(ahead[place - _AHEAD : place])
    if not 0 <= rest <= TOP:
        raise ArtifactError(
            f"a range coder must end at 0 … {TOP:,}, but ends at {rest:,}: its bytes are damaged"
        )
    return np.frombuffer(symbols, np.uint8), place - _AHEAD
