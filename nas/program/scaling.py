"""Multipliers of 16 bits, shifts and clamps."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nas.program.rounding import Rounding
from nas.program.tensors import require

MIN_SHIFT, MAX_SHIFT = 8, 47
MAX_MULTIPLIER = 2**16 - 1


@dataclass(frozen=True, eq=False)
class Scaling:
    """How sums become integers of the result: multiplied by m / 2^shift, rounded, and clamped to
    `low` … `high`, both included.

    `multipliers` is uint16, one for each channel of a layer or each source of a sum. `rounding` is
    how a runtime rounds; packed files do not store it.

    Raises:
        ProgramError: if multipliers, shift or limits are out of range.
    """

    multipliers: NDArray[np.uint16]
    shift: int
    low: int
    high: int
    rounding: Rounding = "single"

    def __post_init__(self) -> None:
        require(
            self.multipliers.ndim == 1 and self.multipliers.dtype == np.uint16,
            "multipliers must be a vector of uint16",
        )
        require(
            MIN_SHIFT <= self.shift <= MAX_SHIFT,
            f"a shift must lie in {MIN_SHIFT} … {MAX_SHIFT}, but got {self.shift}",
        )
        require(
            0 <= self.low <= self.high <= 255,
            f"a clamp must lie in 0 … 255, but got {self.low} … {self.high}",
        )

    @property
    def factors(self) -> NDArray[np.float64]:
        """The multipliers as real numbers, m / 2^shift."""
        return self.multipliers.astype(np.float64) * 0.5**self.shift

    def passes(self, value: int) -> bool:
        """Whether the clamp leaves an integer of the result as it is."""
        return self.low <= value <= self.high
