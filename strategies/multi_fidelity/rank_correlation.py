"""How well short trainings rank candidates, as those that are trained further tell."""

import math

import numpy as np
from scipy.stats import rankdata

from nas.objective import Fitness
from nas.space import Genotype
from nas.strategy import Proposal

FEWEST_PAIRS = 5


class RankCorrelations:
    """Spearman's rank correlation of each fidelity with the next one, over the candidates that were
    within the budget at both.

    Only promoted candidates are trained further, so that these are correlations among the best: they
    are lower than those of all candidates would be.
    """

    def __init__(self) -> None:
        self._scores = dict[float, dict[Genotype, float]]()

    def add(self, proposal: Proposal, fitness: Fitness) -> None:
        """Takes in the result of a candidate at the fidelity of its proposal."""
        if fitness[0] >= 0:
            epochs = math.inf if proposal.epochs is None else proposal.epochs
            self._scores.setdefault(epochs, {})[proposal.genotype] = fitness[0]

    def with_next(self, fewest: int = FEWEST_PAIRS) -> dict[float, float]:
        """By the epochs of a fidelity its correlation with the next, where there are `fewest`
        candidates or more, and their scores are not all the same.
        """
        fidelities, found = sorted(self._scores), dict[float, float]()
        for number, lower in enumerate(fidelities):
            for higher in fidelities[number + 1 :]:
                common = sorted(self._scores[lower].keys() & self._scores[higher].keys())
                if common:
                    break
            else:
                continue
            ranks = [
                rankdata([self._scores[each][genotype] for genotype in common])
                for each in (lower, higher)
            ]
            if len(common) >= fewest and all(np.ptp(each) > 0 for each in ranks):
                found[lower] = float(np.corrcoef(*ranks)[0, 1])
        return found
