"""How long a search of a tabular benchmark may last."""

import math
from dataclasses import dataclass
from typing import Protocol


class QueryBudget(Protocol):
    """A limit on the queries of one search."""

    def allows(self, queries: int, cost: float) -> bool:
        """Whether a search may make this number of queries of this total cost."""
        ...


@dataclass(frozen=True)
class MaxQueries:
    """At most `queries` queries.

    Raises:
        ValueError: if `queries` is not positive and finite.
    """

    queries: float

    def __post_init__(self) -> None:
        if not 0 < self.queries < math.inf:
            raise ValueError(f"queries must be positive and finite, but got {self.queries}")

    def allows(self, queries: int, cost: float) -> bool:  # noqa: ARG002 - of the protocol
        """Whether the number of queries is within the limit."""
        return queries <= self.queries


@dataclass(frozen=True)
class MaxSeconds:
    """Queries of at most `seconds` of training in total, as the benchmark measured it.

    Raises:
        ValueError: if `seconds` is not positive and finite.
    """

    seconds: float

    def __post_init__(self) -> None:
        if not 0 < self.seconds < math.inf:
            raise ValueError(f"seconds must be positive and finite, but got {self.seconds}")

    def allows(self, queries: int, cost: float) -> bool:  # noqa: ARG002 - of the protocol
        """Whether the total cost is within the limit."""
        return cost <= self.seconds
