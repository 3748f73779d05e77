import random
from collections.abc import Iterator
from itertools import product

import numpy as np
import pytest
import torch

pytest.importorskip("stable_baselines3", reason="the extra rl is not installed")

from benchmarks.agent import CHOICES, learnt, worth


@pytest.fixture(autouse=True)
def _global_generators() -> Iterator[None]:
    """The library seeds them all; other tests must not notice."""
    before = random.getstate(), np.random.get_state(), torch.get_rng_state()  # noqa: NPY002
    yield
    random.setstate(before[0])
    np.random.set_state(before[1])  # noqa: NPY002
    torch.set_rng_state(before[2])


def test_an_agent_of_another_library_finds_the_best_design() -> None:
    designs = sorted(
        {CHOICES.canonical(genes) for genes in product(*map(range, CHOICES.arities))}, key=worth
    )
    assert len(designs) == CHOICES.size
    assert worth(designs[-1]) - worth(designs[-2]) > 0.001, "there is one best design"
    assert learnt(CHOICES, worth, steps=4096, seed=0) == designs[-1]
