"""Where a network makes its maps smaller: as the size of its input asks for."""

import math
from collections.abc import Mapping, Sequence

from torch import Tensor

from nas.space import Design

SMALLEST = 4
"""The last maps keep this side, if they have it to begin with."""


def factors(side: int, places: Sequence[str], most: int = 2) -> Mapping[str, int]:
    """For each place the factor, a power of 2 up to `most`, by which it makes maps smaller.

    A side of S pixels, or samples of a signal, is halved ⌊log2(S / 4)⌋ times, so that 4 to 7 are
    left: once at each of the places in turn, and again from the first one.

    >>> dict(factors(28, ["stage1", "stage2", "stem"]))
    {'stage1': 2, 'stage2': 2, 'stem': 1}
    """
    count = max(0, math.floor(math.log2(side / SMALLEST)))
    rounds = [count // len(places) + (at < count % len(places)) for at in range(len(places))]
    return {place: min(2**times, most) for place, times in zip(places, rounds, strict=True)}


def input_pool(design: Design) -> int:
    """What inputs are pooled by before the stem: the choice "input.pool", or 1 without it."""
    return design.integer("input.pool") if "input.pool" in design else 1


def check_images(example: Tensor, pools: Sequence[int] = (1,)) -> None:
    """Checks that inputs are images that have 4 rows and columns after a pooling by any of `pools`.

    Raises:
        ValueError: if they are not.
    """
    _check(example, "images [N, C, H, W]", 4, pools)


def check_signals(example: Tensor, pools: Sequence[int] = (1,)) -> None:
    """Checks that inputs are signals that have 4 samples after a pooling by any of `pools`.

    Raises:
        ValueError: if they are not.
    """
    _check(example, "signals [N, C, T]", 3, pools)


def _check(example: Tensor, what: str, dimensions: int, pools: Sequence[int]) -> None:
    least = SMALLEST * max(pools)
    if example.ndim != dimensions or min(example.shape[2:]) < least:
        hint = f", so that {SMALLEST} are left of it by pools={tuple(pools)}; pools=(1,) needs {SMALLEST}"
        raise ValueError(
            f"inputs of this space must be {what} of at least {least} along each side"
            f"{hint if least > SMALLEST else ''}, but got {list(example.shape)}"
        )
