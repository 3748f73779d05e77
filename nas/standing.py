"""What a search has reached so far, kept up as it goes on, so that telling it takes no longer in long searches."""

import math
import operator
from collections import Counter
from collections.abc import Sequence

from nas.objective import Evaluation, Fitness, Objective, Status, hypervolume_of


class Standing:
    """The counts by status, the trials, the best and the hypervolume of the evaluations of a search, as
    `nas.objective` has them. Of three and more metrics, the hypervolume may differ in the last of its bits,
    because it is that of the front alone.

    >>> standing = Standing(Objective())
    >>> standing.update([])
    >>> standing.best is None, standing.hypervolume, standing.trials
    (True, 0.0, 0)
    """

    def __init__(self, objective: Objective) -> None:
        self._objective = objective
        self._fidelity = -math.inf
        self._front: list[Fitness] = []
        self._best_fitness: Fitness = ()
        self.best: Evaluation | None = None
        self.hypervolume = 0.0
        self.counts: Counter[Status] = Counter()
        self.trials = 0

    def update(self, evaluations: Sequence[Evaluation]) -> None:
        """Takes in what is new in all `evaluations` so far."""
        for evaluation in evaluations[self.counts.total() :]:
            self.add(evaluation)

    def add(self, evaluation: Evaluation) -> None:
        """Takes in the next evaluation."""
        self.counts[evaluation.status] += 1
        self.trials += evaluation.is_trial
        if evaluation.status is not Status.OK:
            return
        if self._objective.budget.excess(evaluation.metrics) > 0:
            return
        fidelity = evaluation.fidelity
        if fidelity < self._fidelity:
            return
        fitness = self._objective.fitness(evaluation)
        if fidelity > self._fidelity:
            # Candidates of fewer epochs cannot be compared.
            self._fidelity, self._front, self.best = fidelity, [], None
        if self.best is None or fitness > self._best_fitness:
            self.best, self._best_fitness = evaluation, fitness
        if not any(all(map(operator.ge, kept, fitness)) for kept in self._front):
            self._front = [kept for kept in self._front if not all(map(operator.ge, fitness, kept))]
            self._front.append(fitness)
            self.hypervolume = hypervolume_of(self._front)
