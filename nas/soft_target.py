"""One number for an accuracy and a cost, where there is a wish and no hard limit."""

import math
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class SoftTarget:
    """What a `cost` should be: MnasNet's reward gain · (cost / target) ** exponent (Tan et al.
    2019), one exponent throughout.

    Raises:
        ValueError: if `target` is not positive, or `exponent` not negative, or one of them not
            finite.
    """

    cost: str
    target: float
    exponent: float = -0.07

    def __post_init__(self) -> None:
        if not (math.isfinite(self.target) and self.target > 0):
            raise ValueError(
                f"the target of {self.cost!r} must be a positive number, but got {self.target}"
            )
        if not (math.isfinite(self.exponent) and self.exponent < 0):
            raise ValueError(
                f"the exponent of {self.cost!r} must be a negative number, but got {self.exponent}"
            )

    def reward(self, gain: float, metrics: Mapping[str, float]) -> float:
        """r / (1 + r) of MnasNet's reward r: the same order of candidates, and always within 0 to
        1.

        Raises:
            ValueError: if the cost is below 0.
            KeyError: if it was not measured.
        """
        cost = metrics[self.cost]
        if cost < 0:
            raise ValueError(f"the cost {self.cost!r} must be 0 or more, but got {cost}")
        if gain == 0 or cost == 0:
            return 0.0 if gain == 0 else 1.0
        # By logarithms, because powers of very large or small costs overflow.
        logarithm = math.log(gain) + self.exponent * (math.log(cost) - math.log(self.target))
        return (1 + math.tanh(logarithm / 2)) / 2
