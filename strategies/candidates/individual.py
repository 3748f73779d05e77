"""A told candidate, in the form that the operators of DEAP expect."""

from __future__ import annotations

from dataclasses import dataclass, field

from nas.objective import Fitness
from nas.space import Genotype


@dataclass(unsafe_hash=True)
class DeapFitness:
    """A fitness, all of it to be maximized; DEAP writes the crowding distance, and nothing else may
    be written.
    """

    values: Fitness
    crowding_dist: float = field(default=0.0, compare=False)

    @property
    def wvalues(self) -> Fitness:
        """The values with their weights, which are all 1."""
        return self.values

    def dominates(self, other: DeapFitness) -> bool:
        """Whether this one is nowhere worse and somewhere better."""
        return self.values != other.values and all(
            a >= b for a, b in zip(self.values, other.values, strict=True)
        )


@dataclass(frozen=True)
class Individual:
    """A genotype and what is known of it."""

    genotype: Genotype
    fitness: DeapFitness

    @property
    def score(self) -> float:
        """The component of the fitness that ranks candidates when only one is looked at."""
        return self.fitness.values[0]
