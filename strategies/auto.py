"""The strategy of a user who names none."""

import warnings
from typing import Literal

from nas.objective import Objective
from nas.strategy import StrategyFactory
from strategies.names import StrategyName, strategy_class

AutoName = Literal["auto", StrategyName]

MOST_TRIALS = 1000
"""Up to how many trials a model is built: it is of 300 results at most, and takes milliseconds more
with each of them.
"""

LEAST_TRIALS_OF_A_POLICY = 60
"""From how many trials `reinforce` was ahead of `random`: below, its policy has taken too few steps."""


def automatic(objective: Objective, trials: int) -> StrategyName:
    """The strategy that is best on the tables of benchmarks/README.md for a search of this kind.

    `surrogate` for one objective, and `parego` for a front. A cost that is minimized within a limit
    makes no front: there the most accurate candidate within the limits is wanted, and
    cheaper ones come on the way. From `MOST_TRIALS` on `evolution` and `nsga2` take their places.
    The size of the space changes nothing, since all of them try each design of a small one once,
    and neither does a window of up to 8.

    Args:
        objective: What is searched for.
        trials: How many candidates are trained.
    """
    unlimited = [name for name in objective.minimize if name not in objective.budget.limits]
    several = len(objective.maximize) + len(unlimited) > 1
    if trials > MOST_TRIALS:
        return "nsga2" if several else "evolution"
    return "parego" if several else "surrogate"


def strategy_for(name: AutoName, objective: Objective, trials: int) -> StrategyFactory:
    """The strategy of a name, or the automatic one for a search of this kind.

    Warns of `reinforce` for fewer than `LEAST_TRIALS_OF_A_POLICY` trials.

    Raises:
        ValueError: if the strategy needs a package that is not installed.
    """
    if name == "reinforce" and trials < LEAST_TRIALS_OF_A_POLICY:
        warnings.warn(
            f"reinforce is no better than random search below {LEAST_TRIALS_OF_A_POLICY} trials, "
            f"but has {trials}: auto takes {automatic(objective, trials)}",
            stacklevel=3,
        )
    return strategy_class(automatic(objective, trials) if name == "auto" else name)
