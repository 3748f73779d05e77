import random
from collections.abc import Callable

import numpy as np
import pytest

from strategies.evolutionary.deap_stream import DeapStream

DRAWS: dict[str, Callable[[], float]] = {"random": random.random, "numpy": np.random.random}


@pytest.fixture(autouse=True)
def _seeded() -> None:
    random.seed(5)
    np.random.seed(5)  # noqa: NPY002


@pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS)
def test_the_module_is_as_before_and_the_stream_goes_on(draw: Callable[[], float]) -> None:
    expected = [draw() for _ in range(3)]
    random.seed(5)
    np.random.seed(5)  # noqa: NPY002
    stream, whole = DeapStream(np.random.default_rng(1)), DeapStream(np.random.default_rng(1))
    with whole:
        together = [draw() for _ in range(4)]
    outside, inside = [draw()], []
    for _ in range(2):
        with stream:
            inside += [draw(), draw()]
        outside.append(draw())
    assert outside == expected
    assert inside == together


@pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS)
def test_an_error_inside_leaves_the_module_as_it_was(draw: Callable[[], float]) -> None:
    def fail() -> None:
        with DeapStream(np.random.default_rng(0)):
            draw()
            raise RuntimeError

    states = random.getstate(), str(np.random.get_state())  # noqa: NPY002
    with pytest.raises(RuntimeError):
        fail()
    assert (random.getstate(), str(np.random.get_state())) == states  # noqa: NPY002


@pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS)
def test_streams_of_different_generators_differ(draw: Callable[[], float]) -> None:
    drawn = []
    for seed in range(3):
        with DeapStream(np.random.default_rng(seed)):
            drawn.append(draw())
    assert len(set(drawn)) == 3
