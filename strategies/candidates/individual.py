"""An evaluated candidate, in the form that DEAP's operators expect."""

from __future__ import annotations

from dataclasses import dataclass, field

from nas.objective import Fitness
from nas.space import Genotype


@dataclass(unsafe_hash=True)
class DeapFitness:
    """A fitness of which every component is maximized.

    DEAP assigns `crowding_dist`, which takes no part in comparisons; `values` must not be changed.
    """

    values: Fitness
    crowding_dist: float = field(default=0.0, compare=False)

    @property
    def wvalues(self) -> Fitness:
        """The weighted values of DEAP; all weights are 1."""
        return self.values

    def dominates(self, other: DeapFitness) -> bool:
        """Whether no component is worse than in `other` and at least one is better."""
        return self.values != other.values and all(
            a >= b for a, b in zip(self.values, other.values, strict=True)
        )


@dataclass(frozen=True)
class Individual:
    """A genotype with its fitness."""

    genotype: Genotype
    fitness: DeapFitness

    @property
    def score(self) -> float:
        """The first component of the fitness, by which single-objective strategies rank."""
        return self.fitness.values[0]

    @property
    def feasible(self) -> bool:
        """Whether the candidate is within the budget and did not fail."""
        return self.score >= 0
