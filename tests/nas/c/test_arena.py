import numpy as np

from nas.c.arena import Arena, arena


def apart(placed: Arena, sizes: list[int], lives: list[tuple[int, int]]) -> bool:
    """Whether no two pieces that are alive at once share a byte."""
    return all(
        lives[one][1] < lives[other][0]
        or lives[other][1] < lives[one][0]
        or placed.offsets[one] + sizes[one] <= placed.offsets[other]
        or placed.offsets[other] + sizes[other] <= placed.offsets[one]
        for one in range(len(sizes))
        for other in range(one)
    )


def peak(sizes: list[int], lives: list[tuple[int, int]]) -> int:
    last = max(end for _, end in lives)
    return max(
        sum(size for size, (begin, end) in zip(sizes, lives, strict=True) if begin <= step <= end)
        for step in range(last + 1)
    )


def test_a_chain_needs_no_more_than_what_is_alive_at_once() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        sizes = rng.integers(1, 1000, 12).tolist()
        lives = [(max(step - 1, 0), step) for step in range(12)]
        limit = peak(sizes, lives)
        placed = arena(sizes, lives, limit)
        assert placed.size == limit
        assert apart(placed, sizes, lives)


def test_pieces_of_any_life_stay_apart_and_mostly_fit() -> None:
    rng, fits = np.random.default_rng(1), 0
    for _ in range(30):
        sizes = rng.integers(1, 1000, 14).tolist()
        lives = [(begin, begin + int(rng.integers(1, 4))) for begin in range(14)]
        limit = peak(sizes, lives)
        placed = arena(sizes, lives, limit)
        assert placed.size >= limit
        assert apart(placed, sizes, lives)
        assert max(map(sum, zip(placed.offsets, sizes, strict=True))) <= placed.size
        fits += placed.size == limit
    assert fits >= 20


def test_a_larger_block_is_found_where_no_layout_fits() -> None:
    # Whichever of the first two is below, the fourth finds a gap of half its size.
    sizes, lives = [1, 1, 1, 2], [(0, 1), (0, 3), (0, 1), (2, 3)]
    placed = arena(sizes, lives, 3)
    assert apart(placed, sizes, lives)
    assert placed.size == 3
