"""A reward for accuracy and one cost, as a soft constraint instead of a budget."""

import math
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class SoftTarget:
    """MnasNet's reward, gain · (cost / target) ** exponent (Tan et al., 2019), with one exponent on
    both sides of the target.

    `cost` is the name of the metric, `target` its desired value, in its own unit, and `exponent`
    how much a deviation counts.

    Raises:
        ValueError: if `target` is not positive, `exponent` is not negative, or one of them is not
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
        """r / (1 + r) of MnasNet's reward r, in [0, 1], which ranks candidates as r does.

        Raises:
            ValueError: if the cost is below 0.
            KeyError: if the cost was not measured.
        """
        cost = metrics[self.cost]
        if cost < 0:
            raise ValueError(f"the cost {self.cost!r} must be 0 or more, but got {cost}")
        if gain == 0 or cost == 0:
            return 0.0 if gain == 0 else 1.0
        # In logarithms, because powers of very large or small costs overflow.
        logarithm = math.log(gain) + self.exponent * (math.log(cost) - math.log(self.target))
        return (1 + math.tanh(logarithm / 2)) / 2
