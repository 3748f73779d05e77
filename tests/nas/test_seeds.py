import random
from itertools import combinations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from nas.seeds import candidate_seed, derive, generator, seeded

SEEDS = st.integers(0, 2**63)
GENOTYPES = st.lists(st.integers(0, 20), max_size=6).map(tuple)


def test_seeds_are_the_same_on_every_machine_and_in_every_version() -> None:
    assert derive(0) == 2033344993903900207
    assert derive(7, "strategy") == 6116686557879548195
    assert derive(7, "Größe", "ß") == 3106390498482331740
    assert candidate_seed(7, (0, 12, 3)) == 6668347614381583236
    assert generator(7, "strategy").integers(1000, size=4).tolist() == [147, 364, 95, 318]


@settings(deadline=None)  # a busy machine is no failure
@given(SEEDS, st.lists(st.text(max_size=5), max_size=3))
def test_a_seed_fits_into_the_63_bits_that_torch_and_numpy_take(
    seed: int, names: list[str]
) -> None:
    assert 0 <= derive(seed, *names) < 2**63


def test_every_stream_is_another_one() -> None:
    streams = [
        (0, ()),
        (1, ()),
        (0, ("a",)),
        (1, ("a",)),
        (0, ("b",)),
        (0, ("a", "b")),
        (0, ("b", "a")),
        (0, ("ab",)),
        (12, ()),
        (1, ("2",)),
    ]
    for (seed, names), (other, others) in combinations(streams, 2):
        assert derive(seed, *names) != derive(other, *others)
        assert generator(seed, *names).random() != generator(other, *others).random()


def test_a_stream_starts_anew_each_time_and_does_not_depend_on_the_others() -> None:
    first = generator(3, "a")
    numbers = first.random(5).tolist()
    generator(3, "b").random(100)
    assert generator(3, "a").random(5).tolist() == numbers


def test_negative_seeds_are_refused() -> None:
    for seed in (-1, -(2**70)):
        with pytest.raises(ValueError, match=f"seed must be 0 or more, but got {seed}"):
            derive(seed, "a")


@settings(deadline=None)
@given(SEEDS, GENOTYPES, GENOTYPES)
def test_a_candidate_seed_depends_on_nothing_but_seed_and_genes(
    seed: int, one: tuple[int, ...], two: tuple[int, ...]
) -> None:
    assert (candidate_seed(seed, one) == candidate_seed(seed, two)) is (one == two)
    assert (
        candidate_seed(seed, one)
        == candidate_seed(seed, list(one))
        == candidate_seed(seed, np.array(one, int))  # type: ignore[arg-type]
    )
    assert candidate_seed(seed, one) != candidate_seed(seed + 1, one)


def weights(seed: int) -> list[float]:
    with seeded(seed):
        return [float(value) for value in nn.Linear(3, 2).weight.detach().flatten()]


def test_layers_made_under_a_seed_depend_on_it_alone() -> None:
    torch.manual_seed(1)
    first = weights(5)
    torch.manual_seed(2)
    assert weights(5) == first
    assert weights(6) != first


def test_seeding_puts_every_global_generator_back_also_after_an_error() -> None:
    before = torch.get_rng_state(), random.getstate(), str(np.random.get_state())  # noqa: NPY002
    weights(5)
    with pytest.raises(KeyError), seeded(6):
        raise KeyError(torch.rand(3))
    with seeded(7):
        outer = torch.get_rng_state()
        weights(8)
        assert torch.equal(torch.get_rng_state(), outer)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (random.getstate(), str(np.random.get_state())) == before[1:]  # noqa: NPY002
