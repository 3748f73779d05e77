"""How long a search, and one candidate of it, may take."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from statistics import median

from nas.objective import Evaluation
from nas.strategy import Proposal
from nas.training.recipe import Recipe

LEAST_MINUTES, FIRST_MINUTES = 5.0, 360.0
"""What a candidate may take at least, and while no other is known."""
TIMES_THE_MEDIAN = 20.0
RECENT = 100
"""So many candidates are compared with: the last ones, because machines change."""


@dataclass(frozen=True)
class CandidateLimit:
    """What a candidate may take: `minutes`, or if that is None, what follows from the `evaluations` that
    are known: 20 times their median time for each epoch, but no less than 5 minutes; 6 hours as long
    as none is known.

    `recipe` is that of the candidates.
    """

    minutes: float | None
    evaluations: Sequence[Evaluation]
    recipe: Recipe

    def seconds(self, proposal: Proposal) -> float:
        """The seconds that a proposal may take."""
        if self.minutes is not None:
            return 60.0 * self.minutes
        recent = islice((each for each in reversed(self.evaluations) if each.is_trial), RECENT)
        rates = [each.seconds / max(1, len(each.history)) for each in recent]
        if not rates:
            return 60.0 * FIRST_MINUTES
        planned = max(1, sum(self.recipe.phases(proposal.epochs)))
        return max(60.0 * LEAST_MINUTES, TIMES_THE_MEDIAN * planned * median(rates))


class OutOfTimeError(Exception):
    """A candidate that is not begun, because the time of the search is over."""


@dataclass(frozen=True)
class SearchLimit:
    """Whether the time of a search is over, `minutes` after this was made (None: never).

    Raises:
        ValueError: if the minutes are not above 0.
    """

    minutes: float | None = None
    began: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        check_minutes("a search", self.minutes)

    def is_over(self) -> bool:
        """Whether no further candidate may begin."""
        return self.minutes is not None and time.monotonic() >= self.began + 60.0 * self.minutes


def check_minutes(what: str, minutes: float | None) -> None:
    """Raises a ValueError if `minutes` are not above 0."""
    if minutes is not None and not minutes > 0.0:
        raise ValueError(f"{what} must have more than 0 minutes, but got {minutes}")
