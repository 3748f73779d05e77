"""Several objectives as one that differs from proposal to proposal (ParEGO, Knowles 2006)."""

import numpy as np
from scipy.stats import rankdata

from strategies.bayesian.inputs import Matrix, Vector

# How much the sum of the regrets counts beside the largest one, so that of two candidates of the
# same largest regret the one that is better elsewhere wins.
_SUM = 0.05


def drawn_weights(rng: np.random.Generator, objectives: int) -> Vector:
    """Weights of the objectives, [objectives], uniform among those that sum to 1."""
    weights: Vector = rng.dirichlet(np.ones(objectives))
    return weights


def scalarized(fitnesses: Matrix, weights: Vector) -> Vector:
    """The augmented Chebyshev score of each row of [n, objectives], all maximized: at most 0, higher
    is better, [n].

    The regret in an objective is the share of rows that are better in it. So no scale matters:
    where the objectives themselves were used, a few designs that are small and useless stretched
    the front, and most weights asked for others like them.
    """
    count = len(fitnesses)
    regrets = weights * (count - rankdata(fitnesses, method="max", axis=0)) / count
    scores: Vector = -(regrets.max(1) + _SUM * regrets.sum(1))
    return scores


def dominated(fitnesses: Matrix, one: Vector) -> bool:
    """Whether a row of [n, objectives] is nowhere worse than one of [objectives] and better once."""
    return bool(((fitnesses >= one).all(1) & (fitnesses > one).any(1)).any())
