"""Independent named streams of randomness from one seed."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np


def derive(seed: int, *names: str) -> int:
    """A 63-bit seed for the stream called `names`, the same on every machine and in every process.

    Raises:
        ValueError: if `seed` is negative.
    """
    if seed < 0:
        raise ValueError(f"seed must be 0 or more, but got {seed}")
    text = "\0".join([str(seed), *names])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little") >> 1


def generator(seed: int, *names: str) -> np.random.Generator:
    """The NumPy generator of the stream called `names`."""
    return np.random.default_rng(derive(seed, *names))


def candidate_seed(seed: int, genotype: Sequence[int]) -> int:
    """The seed of one candidate, which does not depend on when it is proposed."""
    return derive(seed, "candidate", ",".join(map(str, genotype)))


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seeds torch's global generator, from which layers are initialized, and restores its state
    afterwards.
    """
    import torch  # lazily, because a search without networks does not need it

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield
