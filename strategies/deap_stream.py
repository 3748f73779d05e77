"""Randomness for DEAP, whose operators draw from the global `random` module and from nothing else."""

import random
from types import TracebackType

import numpy as np


class DeapStream:
    """A stream of the global `random` module that belongs to one strategy: `with stream: tools.selTournament(…)`.

    Inside the block the module continues this stream, and afterwards it is as it was before. A block must not be
    entered twice at once, nor while another thread draws from the module.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        self._own = random.Random(int(rng.integers(2**63))).getstate()
        self._outside = self._own

    def __enter__(self) -> None:
        self._outside = random.getstate()
        random.setstate(self._own)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._own = random.getstate()
        random.setstate(self._outside)
