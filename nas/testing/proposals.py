"""Wrappers that check what a strategy proposes and reports during a search."""

import math
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from nas.objective import Fitness
from nas.space import Choices, Genotype
from nas.strategy import Facts, Informed, Proposal, Reporting, Strategy

_MAX_LINES = 5_000_000


def require(condition: bool, breach: str, likely_cause: str) -> None:
    """Raises an AssertionError with the breach and its likely cause unless `condition` holds."""
    if not condition:
        raise AssertionError(f"{breach}: perhaps {likely_cause}")


class CheckedStrategy:
    """Delegates to a strategy, checks its proposals and reports, and records the proposals.

    Args:
        strategy: The strategy under test.
        choices: The space that it searches.
    """

    def __init__(self, strategy: Strategy, choices: Choices) -> None:
        self.strategy = strategy
        self.choices = choices
        self.proposals: list[Proposal] = []
        self.results = 0

    def ask(self) -> Proposal:
        """A checked proposal of the strategy."""
        try:
            proposal = self.strategy.ask()
        except Exception as error:
            after = f"after {len(self.proposals)} proposals and {self.results} results"
            cause = "perhaps no new design is left, or it waits for a result; it may repeat a design or draw a random one"
            raise AssertionError(
                f"ask() must always return a proposal, but raised {error!r} {after}: {cause}"
            ) from error
        self._check(proposal)
        self.proposals.append(proposal)
        return proposal

    def inform(self, facts: Callable[[Genotype], Facts]) -> None:
        """Passes `facts` on if the strategy is `Informed`."""
        if isinstance(self.strategy, Informed):
            self.strategy.inform(facts)

    def tell(self, proposal: Proposal, fitness: Fitness) -> None:
        """Passes a result on, and checks the report of the strategy."""
        self.results += 1
        try:
            self.strategy.tell(proposal, fitness)
        except Exception as error:
            raise AssertionError(
                f"tell() must accept any finite fitness, but raised {error!r} at {proposal}, {fitness}"
            ) from error
        if isinstance(self.strategy, Reporting):
            for name, value in self.strategy.report().items():
                require(
                    math.isfinite(value),
                    f"report() must return finite numbers, but {name!r} is {value}",
                    "it averages over nothing yet, or its weights have become NaN",
                )

    def _check(self, proposal: object) -> None:
        require(
            isinstance(proposal, Proposal),
            f"ask() must return a Proposal, but returned {proposal!r}",
            "it is a bare genotype",
        )
        assert isinstance(proposal, Proposal)
        genotype, epochs = proposal.genotype, proposal.epochs
        require(
            type(genotype) is tuple and all(type(gene) is int for gene in genotype),
            f"a genotype must be a tuple of int, but got {genotype!r}",
            "it was drawn by NumPy and not converted by int()",
        )
        try:
            canonical = self.choices.canonical(genotype)
        except ValueError as error:
            cause = "it counts options from 1, as if all choices had as many, or heeds no constraints, as choices.nearest() does"
            raise AssertionError(
                f"a proposal must lie inside the space, but {error}: perhaps {cause}"
            ) from error
        require(
            genotype == canonical,
            f"a genotype must be canonical, {canonical}, but got {genotype}",
            "choices.canonical() was not called, so that equal designs differ",
        )
        require(
            epochs is None or 1 <= epochs < math.inf,
            f"epochs must be at least 1 and finite, but got {epochs}",
            "it should be None, for the epochs of the recipe",
        )


class WithCopiedResults(CheckedStrategy):
    """Passes results on with copies of proposals, as a journal does after a restart."""

    def tell(self, proposal: Proposal, fitness: Fitness) -> None:
        """Passes a result on with an equal proposal that is another object."""
        super().tell(Proposal((*proposal.genotype,), proposal.epochs), fitness)


class WithBoundedAsk(CheckedStrategy):
    """Interrupts an `ask` that does not return."""

    def ask(self) -> Proposal:
        """A checked proposal that took no more than `_MAX_LINES` lines of Python."""
        with _at_most(
            _MAX_LINES,
            f"ask() must return, but executed {_MAX_LINES:,} lines in a space of {self.choices.size} designs",
        ):
            return super().ask()


class _EndlessError(BaseException):
    """Not an Exception, so that an endless loop does not catch it."""


@contextmanager
def _at_most(lines: int, breach: str) -> Iterator[None]:
    """Limits the lines executed, not the time, so that the outcome is the same on any machine."""
    left = lines

    def trace(*_: object) -> Any:
        nonlocal left
        left -= 1
        if left < 0:
            raise _EndlessError
        return trace

    outer = sys.gettrace()
    sys.settrace(trace)
    try:
        yield
    except _EndlessError:
        raise AssertionError(
            f"{breach}: perhaps it draws until a design is new; bound the draws, and repeat a design"
        ) from None
    finally:
        sys.settrace(outer)
