import random
from collections.abc import Callable

import numpy as np
import pytest

from strategies.evolutionary.deap_rng import DeapRng

DRAWS: dict[str, Callable[[], float]] = {"random": random.random, "numpy": np.random.random}


@pytest.fixture(autouse=True)
def _seeded() -> None:
    random.seed(5)
    np.random.seed(5)  # noqa: NPY002


@pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS)
def test_blocks_continue_and_the_global_state_is_restored(draw: Callable[[], float]) -> None:
    expected = [draw() for _ in range(3)]
    random.seed(5)
    np.random.seed(5)  # noqa: NPY002
    interrupted, whole = DeapRng(np.random.default_rng(1)), DeapRng(np.random.default_rng(1))
    with whole:
        together = [draw() for _ in range(4)]
    outside, inside = [draw()], []
    for _ in range(2):
        with interrupted:
            inside += [draw(), draw()]
        outside.append(draw())
    assert outside == expected
    assert inside == together


@pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS)
def test_an_error_in_a_block_restores_the_global_state(draw: Callable[[], float]) -> None:
    def fail() -> None:
        with DeapRng(np.random.default_rng(0)):
            draw()
            raise RuntimeError

    states = random.getstate(), str(np.random.get_state())  # noqa: NPY002
    with pytest.raises(RuntimeError):
        fail()
    assert (random.getstate(), str(np.random.get_state())) == states  # noqa: NPY002


@pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS)
def test_different_seeds_give_different_draws(draw: Callable[[], float]) -> None:
    drawn = []
    for seed in range(3):
        with DeapRng(np.random.default_rng(seed)):
            drawn.append(draw())
    assert len(set(drawn)) == 3
