"""Randomness for DEAP, whose operators draw from the global `random` module, and NSGA-III's from
`numpy.random`.
"""

import random
from types import TracebackType
from typing import Any

import numpy as np


class DeapStream:
    """A stream of the two global generators that belongs to one strategy: `with stream:
    tools.selTournament(…)`.

    Inside the block they continue this stream, and afterwards they are as they were before. A block
    must not be entered twice at once, nor while another thread draws from them.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        seed = int(rng.integers(2**63))
        self._own = random.Random(seed).getstate(), np.random.MT19937(seed).state
        self._outside = self._own

    def __enter__(self) -> None:
        self._outside = _states()
        _set(self._own)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._own = _states()
        _set(self._outside)


def _states() -> Any:
    return random.getstate(), np.random.get_state(legacy=False)  # noqa: NPY002


def _set(states: Any) -> None:
    random.setstate(states[0])
    np.random.set_state(states[1])  # noqa: NPY002
