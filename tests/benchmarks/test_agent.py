import random
from collections.abc import Iterator
from itertools import product

import numpy as np
import pytest
import torch

pytest.importorskip("stable_baselines3", reason="the extra rl is not installed")

from benchmarks.agent import CHOICES, learned_genotype, score


@pytest.fixture(autouse=True)
def _global_generators() -> Iterator[None]:
    """Restores the global generators, which stable-baselines3 seeds."""
    before = random.getstate(), np.random.get_state(), torch.get_rng_state()  # noqa: NPY002
    yield
    random.setstate(before[0])
    np.random.set_state(before[1])  # noqa: NPY002
    torch.set_rng_state(before[2])


@pytest.mark.slow
def test_ppo_of_another_library_finds_the_best_design() -> None:
    designs = sorted(
        {CHOICES.canonical(genes) for genes in product(*map(range, CHOICES.arities))}, key=score
    )
    assert len(designs) == CHOICES.size
    assert score(designs[-1]) - score(designs[-2]) > 0.001, "there is one best design"
    assert learned_genotype(CHOICES, score, steps=4096, seed=0) == designs[-1]
