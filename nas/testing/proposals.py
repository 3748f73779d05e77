"""Strategies under observation: what each proposal must be, whatever the search."""

import math
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from nas.objective import Fitness
from nas.space import Choices, Genotype
from nas.strategy import Facts, Informed, Proposal, Reporting, Strategy


def require(kept: bool, breach: str, guess: str) -> None:
    """Raises an AssertionError that says what was breached and what is likely behind it, unless it
    was `kept`.
    """
    if not kept:
        raise AssertionError(f"{breach}: perhaps {guess}")


class Watched:
    """Passes everything on to a strategy, and looks at what it proposes and reports."""

    def __init__(self, strategy: Strategy, choices: Choices) -> None:
        self.strategy = strategy
        self.choices = choices
        self.proposals: list[Proposal] = []
        self.told = 0

    def ask(self) -> Proposal:
        """The strategy's proposal, looked at."""
        try:
            proposal = self.strategy.ask()
        except Exception as error:
            after = f"after {len(self.proposals)} proposals and {self.told} results"
            guess = "perhaps nothing unseen is left, or it waits for a result; it may repeat a design or draw a random one"
            raise AssertionError(
                f"ask() must always propose, but raised {error!r} {after}: {guess}"
            ) from error
        self._check(proposal)
        self.proposals.append(proposal)
        return proposal

    def inform(self, facts: Callable[[Genotype], Facts]) -> None:
        """Hands `facts` on to a strategy that wants them."""
        if isinstance(self.strategy, Informed):
            self.strategy.inform(facts)

    def tell(self, proposal: Proposal, fitness: Fitness) -> None:
        """Tells the strategy, and looks at what it reports."""
        self.told += 1
        try:
            self.strategy.tell(proposal, fitness)
        except Exception as error:
            raise AssertionError(
                f"tell() must take any finite fitness, but raised {error!r} at {proposal}, {fitness}"
            ) from error
        if isinstance(self.strategy, Reporting):
            for name, value in self.strategy.report().items():
                guess = "it averages over nothing yet, or its weights have become NaN"
                require(
                    math.isfinite(value),
                    f"report() must give finite numbers, but {name!r} is {value}",
                    guess,
                )

    def _check(self, proposal: object) -> None:
        guess = "it is a bare genotype"
        require(
            isinstance(proposal, Proposal),
            f"ask() must return a Proposal, but returned {proposal!r}",
            guess,
        )
        assert isinstance(proposal, Proposal)
        genotype, epochs = proposal.genotype, proposal.epochs
        plain = type(genotype) is tuple and all(type(gene) is int for gene in genotype)
        guess = "NumPy drew it and nothing converted it with int()"
        require(plain, f"a genotype must be a tuple of int, but got {genotype!r}", guess)
        try:
            canonical = self.choices.canonical(genotype)
        except ValueError as error:
            guess = "perhaps it counts options from 1, or takes every choice to have as many"
            raise AssertionError(
                f"a proposal must lie inside the space, but {error}: {guess}"
            ) from error
        guess = "choices.canonical() was not called on it, so that equal designs differ"
        require(
            genotype == canonical,
            f"a genotype must be canonical, {canonical}, but got {genotype}",
            guess,
        )
        trainable = epochs is None or 1 <= epochs < math.inf
        guess = "it should be None, for as many as the recipe says"
        require(trainable, f"epochs must be at least 1 and finite, but got {epochs}", guess)


class Copying(Watched):
    """Tells results as they come out of a journal: of equal proposals, not of the same objects."""

    def tell(self, proposal: Proposal, fitness: Fitness) -> None:
        """Tells the strategy of a copy."""
        super().tell(Proposal((*proposal.genotype,), proposal.epochs), fitness)


class Bounded(Watched):
    """Ends an `ask` that would not end by itself."""

    def ask(self) -> Proposal:
        """The strategy's proposal, if five million lines of Python suffice for it."""
        with _at_most(
            5_000_000,
            f"ask() must end, but ran on and on in a space of {self.choices.size} designs",
        ):
            return super().ask()


class _EndlessError(BaseException):
    """Not an Exception, so that no loop swallows it and goes on."""


@contextmanager
def _at_most(lines: int, breach: str) -> Iterator[None]:
    """Counts executed lines rather than seconds, so that a slow machine changes nothing."""
    left = lines

    def trace(*_: object) -> Any:
        nonlocal left
        left -= 1
        if left < 0:
            raise _EndlessError
        return trace

    outside = sys.gettrace()
    sys.settrace(trace)
    try:
        yield
    except _EndlessError:
        raise AssertionError(
            f"{breach}: perhaps it draws until it finds an unseen one; bound that, and repeat one"
        ) from None
    finally:
        sys.settrace(outside)
