"""From rewards to what a policy gradient climbs."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


class Advantages:
    """How much better than a moving average each reward is, in units of how far rewards usually lie
    from it.

    The unit makes a learner behave the same whether designs differ by half a percent or by half.
    Rewards below 0, which stand for over budget and failed, count for at most half a unit of loss:
    they are not on the scale of the others, and at full weight a policy learns to be small long
    before it learns to be good. Until the first reward of 0 or more they are all there is, and
    count in full; with it, the average starts anew.

    Raises:
        ValueError: if `decay`, the share of the averages that a batch leaves, is not within 0
            (inclusive) to 1.
    """

    def __init__(self, decay: float) -> None:
        if not 0 <= decay < 1:
            raise ValueError(f"decay must be 0 or more and below 1, but got {decay}")
        self._decay = decay
        self._unit: float | None = None
        self.baseline: float | None = None

    def __call__(self, rewards: Sequence[float]) -> NDArray[np.float32]:
        """The advantages of a batch, against the baseline of the batches before it (of the first:
        its own mean).
        """
        values = np.asarray(rewards, np.float64)
        within = values >= 0
        if self.baseline is None or (self.baseline < 0 and within.any()):
            self.baseline, self._unit = (
                float(values[within].mean() if within.any() else values.mean()),
                None,
            )
        advantages = values - self.baseline
        usual = advantages if self.baseline < 0 else advantages[within]
        if len(usual):
            self._unit = self._averaged(self._unit, float(np.abs(usual).mean()))
        unit = self._unit or 0.0
        if self.baseline >= 0:
            advantages[~within] = np.maximum(advantages[~within], -unit / 2)
        self.baseline += (1 - self._decay) * float(advantages.mean())
        # Rewards that differ by less than a millionth are equal.
        return (advantages / (unit + 1e-6)).astype(np.float32)

    def _averaged(self, old: float | None, new: float) -> float:
        return new if old is None else self._decay * old + (1 - self._decay) * new
