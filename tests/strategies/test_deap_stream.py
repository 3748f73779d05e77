import random

import numpy as np
import pytest

from strategies.deap_stream import DeapStream


def test_the_module_is_as_before_and_the_stream_goes_on() -> None:
    random.seed(5)
    expected = [random.random() for _ in range(3)]
    random.seed(5)
    stream, whole = DeapStream(np.random.default_rng(1)), DeapStream(np.random.default_rng(1))
    with whole:
        together = [random.random() for _ in range(4)]
    outside, inside = [random.random()], []
    for _ in range(2):
        with stream:
            inside += [random.random(), random.random()]
        outside.append(random.random())
    assert outside == expected
    assert inside == together


def test_an_error_inside_leaves_the_module_as_it_was() -> None:
    state = random.getstate()

    def fail() -> None:
        with DeapStream(np.random.default_rng(0)):
            random.random()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert random.getstate() == state


def test_streams_of_different_generators_differ() -> None:
    drawn = []
    for seed in range(3):
        with DeapStream(np.random.default_rng(seed)):
            drawn.append(random.random())
    assert len(set(drawn)) == 3
