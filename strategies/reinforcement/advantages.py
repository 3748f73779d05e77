"""Normalized advantages of a policy gradient."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


class AdvantageEstimator:
    """Differences of rewards to a moving baseline, divided by a moving mean absolute difference.

    The division makes the learning rate independent of the scale of rewards. Negative rewards stand
    for infeasible candidates and are not on the scale of the others. They count for an advantage of
    at least -1/2: at full weight a policy learns to be small long before it learns to be accurate.
    Before the first reward of 0 or more, negative rewards count in full, and the averages restart
    with that reward.

    Args:
        decay: The share of both averages that a batch keeps, 0 or more and below 1.

    Raises:
        ValueError: if `decay` is below 0, or not below 1.
    """

    def __init__(self, decay: float) -> None:
        if not 0 <= decay < 1:
            raise ValueError(f"decay must be 0 or more and below 1, but got {decay}")
        self._decay = decay
        self._scale: float | None = None
        self.baseline: float | None = None

    def __call__(self, rewards: Sequence[float]) -> NDArray[np.float32]:
        """The advantages of a batch, [n], against the baseline of the preceding batches; that of
        the first batch is its own mean.
        """
        values = np.asarray(rewards, np.float64)
        feasible = values >= 0
        if self.baseline is None or (self.baseline < 0 and feasible.any()):
            self.baseline, self._scale = (
                float(values[feasible].mean() if feasible.any() else values.mean()),
                None,
            )
        advantages = values - self.baseline
        comparable = advantages if self.baseline < 0 else advantages[feasible]
        if len(comparable):
            self._scale = self._average(self._scale, float(np.abs(comparable).mean()))
        scale = self._scale or 0.0
        if self.baseline >= 0:
            advantages[~feasible] = np.maximum(advantages[~feasible], -scale / 2)
        self.baseline += (1 - self._decay) * float(advantages.mean())
        # Differences far below a millionth must not be scaled up to 1.
        return (advantages / (scale + 1e-6)).astype(np.float32)

    def _average(self, old: float | None, new: float) -> float:
        return new if old is None else self._decay * old + (1 - self._decay) * new
