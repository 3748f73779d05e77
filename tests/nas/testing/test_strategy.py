import random
import re
import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest

from nas.objective import Fitness
from nas.space import Choice, Choices, Genotype
from nas.strategy import Facts, Proposal
from nas.testing import check_strategy


class Sound:
    """Draws at random, as it should; each subclass breaks one rule."""

    def __init__(self, choices: Choices, rng: np.random.Generator) -> None:
        self.choices = choices
        self.rng = rng
        self.results: list[tuple[Proposal, Fitness]] = []

    def ask(self) -> Proposal:
        return Proposal(self.choices.sample(self.rng))

    def tell(self, proposal: Proposal, fitness: Fitness) -> None:
        self.results.append((proposal, fitness))


class GlobalRandom(Sound):
    def ask(self) -> Proposal:
        random.random()
        return super().ask()


class GlobalNumpy(Sound):
    def ask(self) -> Proposal:
        np.random.random()  # noqa: NPY002
        return super().ask()


class GlobalTorch(Sound):
    def __init__(self, choices: Choices, rng: np.random.Generator) -> None:
        super().__init__(choices, rng)
        import torch

        torch.nn.Linear(1, 1)


class Unseeded(Sound):
    def __init__(self, choices: Choices, rng: np.random.Generator) -> None:
        super().__init__(choices, np.random.default_rng())


class SharedState(Sound):
    seen: list[Genotype] = []  # noqa: RUF012

    def ask(self) -> Proposal:
        proposal = super().ask()
        while proposal.genotype in self.seen and len(self.seen) < 100:
            proposal = super().ask()
        self.seen.append(proposal.genotype)
        return proposal


class SeedIgnored(Sound):
    def __init__(self, choices: Choices, rng: np.random.Generator) -> None:
        super().__init__(choices, np.random.default_rng(0))


class NotCanonical(Sound):
    def ask(self) -> Proposal:
        return Proposal(tuple(int(gene) for gene in self.rng.integers(self.choices.arities)))


class NumpyGenes(Sound):
    def ask(self) -> Proposal:
        return Proposal(tuple(self.rng.integers(1, size=len(self.choices))))


class Outside(Sound):
    def ask(self) -> Proposal:
        return Proposal(tuple(gene + 1 for gene in super().ask().genotype))


class Bare(Sound):
    def ask(self) -> Proposal:
        return super().ask().genotype  # type: ignore[return-value]


class NoEpochs(Sound):
    def ask(self) -> Proposal:
        return Proposal(super().ask().genotype, epochs=0.0)


class PartOfAnEpoch(Sound):
    def ask(self) -> Proposal:
        return Proposal(super().ask().genotype, epochs=0.5)


class EpochsUnseeded(Sound):
    def __init__(self, choices: Choices, rng: np.random.Generator) -> None:
        super().__init__(choices, rng)
        self.other = np.random.default_rng()

    def ask(self) -> Proposal:
        return Proposal(super().ask().genotype, epochs=float(self.other.integers(1, 9)))


class UntilWithinBudget(Sound):
    def inform(self, facts: Callable[[Genotype], Facts]) -> None:
        self.facts = facts

    def ask(self) -> Proposal:
        while self.facts((proposal := super().ask()).genotype).excess > 0:
            pass
        return proposal


class Endless(Sound):
    def ask(self) -> Proposal:
        seen = [proposal for proposal, _ in self.results]
        while (proposal := super().ask()) in seen:
            pass
        return proposal


class EndlessAndDeaf(Sound):
    def ask(self) -> Proposal:
        while True:
            try:
                proposal = super().ask()
                if proposal not in [known for known, _ in self.results]:
                    return proposal
            except Exception:
                continue


class Exhausted(Sound):
    def ask(self) -> Proposal:
        if len(self.results) >= self.choices.size:
            raise StopIteration
        return super().ask()


class NeverNegative(Sound):
    def tell(self, proposal: Proposal, fitness: Fitness) -> None:
        if min(fitness) < 0:
            raise ValueError("a negative fitness")


class ByIdentity(Sound):
    def __init__(self, choices: Choices, rng: np.random.Generator) -> None:
        super().__init__(choices, rng)
        self.asked: list[Proposal] = []

    def ask(self) -> Proposal:
        self.asked.append(super().ask())
        return self.asked[-1]

    def tell(self, proposal: Proposal, fitness: Fitness) -> None:
        if any(asked is proposal for asked in self.asked):
            self.rng.random()


class NoNumber(Sound):
    def report(self) -> dict[str, float]:
        return {"entropy": float("nan")}


def test_a_sound_strategy_passes() -> None:
    check_strategy(Sound)
    check_strategy(Sound, Choices([Choice("", "op", ("a",))]))


BREACHES = {
    GlobalRandom: "the global state of random must not change, but did: perhaps something is drawn from it, not from the rng",
    GlobalNumpy: "the global state of numpy.random must not change, but did: perhaps something is drawn from it",
    GlobalTorch: "the global state of torch must not change, but did: perhaps a layer is initialized outside",
    Unseeded: "the same seed must give the same proposals, but did not with 1 outstanding: perhaps it draws from a generator of",
    SharedState: "the same seed must give the same proposals, but did not with 1 outstanding: perhaps it draws from",
    SeedIgnored: "different seeds must give different proposals, but did not with 1 outstanding: perhaps it does not use the rng",
    NotCanonical: "a genotype must be canonical, (1, 0, ",
    NumpyGenes: "a genotype must be a tuple of int, but got (np.int64(0),",
    Outside: "a proposal must lie inside the space, but the gene of 'stem' must be in 0 … 0, but got 1: perhaps it counts",
    Bare: "ask() must return a Proposal, but returned (",
    NoEpochs: "epochs must be at least 1 and finite, but got 0.0: perhaps it should be None",
    PartOfAnEpoch: "epochs must be at least 1 and finite, but got 0.5: perhaps it should be None",
    EpochsUnseeded: "the same seed must give the same proposals, but did not with 1 outstanding: perhaps it draws from",
    UntilWithinBudget: "ask() must return, but executed 5,000,000 lines in a space of",
    Endless: "ask() must return, but executed 5,000,000 lines in a space of 1 designs: perhaps it draws until a design is new",
    EndlessAndDeaf: "ask() must return, but executed 5,000,000 lines in a space of 1 designs",
    Exhausted: "ask() must always return a proposal, but raised StopIteration() after 1 proposals and 1 results: perhaps no new",
    NeverNegative: "tell() must accept any finite fitness, but raised ValueError('a negative fitness') at Proposal(",
    ByIdentity: "a replay of results must give the same proposals, but did not with 1 outstanding: perhaps it compares",
    NoNumber: "report() must return finite numbers, but 'entropy' is nan",
}


@pytest.mark.parametrize(
    ("wrong", "message"), BREACHES.items(), ids=lambda value: getattr(value, "__name__", "")
)
def test_a_breach_is_reported_with_its_likely_cause(wrong: type[Sound], message: str) -> None:
    with pytest.raises(AssertionError, match="^" + re.escape(message)):
        check_strategy(wrong)


def test_facts_agree_with_the_statuses_of_candidates() -> None:
    class Careful(Sound):
        def inform(self, facts: Callable[[Genotype], Facts]) -> None:
            self.facts = facts

        def tell(self, proposal: Proposal, fitness: Fitness) -> None:
            excess = self.facts(proposal.genotype).excess
            assert fitness == (-1.0, -1.0) or (fitness[0] >= 0) is (excess == 0), (fitness, excess)
            assert excess == 0 or fitness == (-excess, -excess), (fitness, excess)

    check_strategy(Careful)


def test_a_strategy_that_needs_results_is_caught_by_the_wider_windows() -> None:
    class Lockstep(Sound):
        asked = 0

        def ask(self) -> Proposal:
            self.asked += 1
            if self.asked > len(self.results) + 1:
                raise RuntimeError("no result yet")
            return super().ask()

    message = r"ask\(\) must always return a proposal, but raised RuntimeError\('no result yet'\) "
    message += r"after 1 proposals and 0 results: .* or it waits"
    with pytest.raises(AssertionError, match=message):
        check_strategy(Lockstep)


def test_the_trace_function_of_a_debugger_is_restored() -> None:
    def trace(*_: object) -> None:
        return None

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        with pytest.raises(AssertionError, match="must return"):
            check_strategy(Endless)
        assert sys.gettrace() is trace
    finally:
        sys.settrace(before)


def test_checking_does_not_import_torch() -> None:
    subprocess.run(
        [sys.executable, "-c", "import sys, nas.testing; assert 'torch' not in sys.modules"],
        check=True,
    )
