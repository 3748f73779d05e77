"""Where each piece of memory lies in one block."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

# Searches stop here: far beyond what the networks of the textbooks need.
_TRIES, _COMPARISONS = 2000, 20_000_000


@dataclass(frozen=True)
class Arena:
    """The offset of each piece, and the bytes of the whole block."""

    offsets: tuple[int, ...]
    size: int


def arena(sizes: Sequence[int], lives: Sequence[tuple[int, int]], limit: int) -> Arena:
    """Pieces that are alive at once side by side, in at most `limit` bytes if the search finds how,
    else in as few as it found.

    `lives` are the first and the last step of each piece. Tried are the pieces in the order of time,
    at the two ends of the block by turns; by size; and in random orders, each piece as low as
    possible.
    """
    count = len(sizes)
    meets = [
        [
            other
            for other in range(count)
            if other != piece
            and lives[other][0] <= lives[piece][1]
            and lives[piece][0] <= lives[other][1]
        ]
        for piece in range(count)
    ]
    by_size = sorted(range(count), key=lambda piece: -sizes[piece])
    by_time = sorted(range(count), key=lambda piece: lives[piece])
    by_span = sorted(by_size, key=lambda piece: lives[piece][0] - lives[piece][1])
    rng = np.random.default_rng(0)
    work = max(sum(map(len, meets)), 1)
    best: Arena | None = None
    for attempt in range(max(4, min(_TRIES, _COMPARISONS // work))):
        if attempt < 3:
            order = (by_time, by_size, by_span)[attempt]
        else:
            # Large pieces first, most of the time.
            weights = np.array(sizes, np.float64) * rng.uniform(0.2, 1.0, count)
            order = [int(piece) for piece in np.argsort(-weights, kind="stable")]
        for end in (None, limit):
            found = _placed(order, sizes, meets, end, by_time)
            if found is not None and (best is None or found.size < best.size):
                best = found
        if best is not None and best.size <= limit:
            return Arena(best.offsets, limit)
    assert best is not None
    return best


def _placed(
    order: Sequence[int],
    sizes: Sequence[int],
    meets: Sequence[Sequence[int]],
    limit: int | None,
    by_time: Sequence[int],
) -> Arena | None:
    """Pieces one after the other in the lowest gap; with a limit, every other one in time in the
    highest.
    """
    turn = {piece: index % 2 for index, piece in enumerate(by_time)}
    offsets: dict[int, int] = {}
    for piece in order:
        taken = sorted(
            (offsets[other], offsets[other] + sizes[other])
            for other in meets[piece]
            if other in offsets
        )
        if limit is not None and turn[piece]:
            at = limit - sizes[piece]
            for begin, end in sorted(taken, key=lambda gap: -gap[1]):
                if at >= end:
                    break
                at = min(at, begin - sizes[piece])
            if at < 0:
                return None
        else:
            at = 0
            for begin, end in taken:
                if at + sizes[piece] <= begin:
                    break
                at = max(at, end)
        offsets[piece] = at
    size = max(offsets[piece] + sizes[piece] for piece in order)
    return Arena(tuple(offsets[piece] for piece in range(len(sizes))), size)
