"""Private randomness for DEAP, whose operators draw from the global `random` module, and for
NSGA-III also from `numpy.random`.
"""

import random
from types import TracebackType
from typing import Any

import numpy as np


class DeapRng:
    """The states of the two global generators that belong to one strategy: `with deap_rng: ...`.

    A block continues from where the last block ended, and restores the global states on exit.
    Blocks must not be nested, nor run while another thread draws from the global generators.

    Args:
        rng: The generator from which both states are seeded, by one draw.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        seed = int(rng.integers(2**63))
        self._private = random.Random(seed).getstate(), np.random.MT19937(seed).state
        self._outer = self._private

    def __enter__(self) -> None:
        self._outer = _get_states()
        _set_states(self._private)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._private = _get_states()
        _set_states(self._outer)


def _get_states() -> Any:
    return random.getstate(), np.random.get_state(legacy=False)  # noqa: NPY002


def _set_states(states: Any) -> None:
    random.setstate(states[0])
    np.random.set_state(states[1])  # noqa: NPY002
