"""The contract of a strategy."""

from operator import le

import numpy as np

from nas.objective import Budget, Evaluation, Objective, Status
from nas.search_loop import Pending, search
from nas.seeds import derive
from nas.space import Choice, Choices, Constraint, Genotype
from nas.strategy import Facts, Proposal, StrategyFactory
from nas.testing.global_state import global_states
from nas.testing.proposals import CheckedStrategy, WithBoundedAsk, WithCopiedResults, require
from nas.threads import one_thread

_TRIALS = 40
_BUDGET = 100.0
_OBJECTIVE = Objective(
    maximize=("accuracy",), minimize=("size_bytes",), budget=Budget({"size_bytes": _BUDGET})
)
# The statuses of candidates: the genotype selects one of them.
_MIXED = (Status.OK,) * 6 + (Status.OVER_BUDGET,) * 3 + (Status.FAILED,)


@one_thread()
def check_strategy(make: StrategyFactory, choices: Choices | None = None) -> None:
    """Runs searches with made-up evaluations, and checks what a run requires of a strategy.

    The fitness has two components, more epochs give a higher accuracy, and an `Informed` strategy
    gets made-up costs. A deterministic strategy breaks one part of the contract by design: its
    proposals are the same for every seed.

    Args:
        make: Makes a fresh strategy for a space and a generator; it is called for each search.
        choices: The space to search. None: a small space of conditional choices.

    Raises:
        AssertionError: at the first breach, with its likely cause.
    """
    space = _conditional() if choices is None else choices
    for window in (1, 4, 64):
        where = f"with {window} outstanding"
        first = _proposals(make, space, window)
        require(
            _proposals(make, space, window) == first,
            f"the same seed must give the same proposals, but did not {where}",
            "it draws from a generator of its own, or its instances share state",
        )
        short = _proposals(make, space, window, trials=_TRIALS // 2)
        require(
            short == first[: len(short)],
            f"a longer search must begin with the proposals of a shorter one, but did not {where}",
            "it draws from a generator of its own, or its instances share state",
        )
        require(
            _proposals(make, space, window, wrapper=WithCopiedResults) == first,
            f"a replay of results must give the same proposals, but did not {where}",
            "it compares proposals by identity, not by equality",
        )
        require(
            _proposals(make, space, window, seed=2) != first or space.size == 1,
            f"different seeds must give different proposals, but did not {where}",
            "it does not use the rng that it is given",
        )
        for status in (Status.OVER_BUDGET, Status.FAILED):
            # Bounding is slow, and an endless loop for a feasible design does not depend on the
            # window.
            wrapper = WithBoundedAsk if window == 1 else CheckedStrategy
            _proposals(make, space, window, statuses=(status,), wrapper=wrapper)
        for designs in (1, 2):
            exhausted = Choices([Choice("", "op", tuple(range(designs)))])
            _proposals(make, exhausted, window, wrapper=WithBoundedAsk)
    _proposals(make, _tied(), window=4)


def _conditional() -> Choices:
    """A stem of one option and up to three stages, whose number is the depth."""
    choices = [Choice("", "depth", (1, 2, 3)), Choice("", "stem", ("plain",))]
    for stage, above in (
        ("s0", None),
        ("s1", ("depth", frozenset({2, 3}))),
        ("s2", ("depth", frozenset({3}))),
    ):
        choices.append(Choice(stage, "op", ("identity", "conv", "separable"), above))
        choices.append(
            Choice(
                stage,
                "width",
                (8, 16, 24, 32, 48),
                (f"{stage}.op", frozenset({"conv", "separable"})),
            )
        )
        choices.append(
            Choice(stage, "kernel", (3, 5), (f"{stage}.op", frozenset({"conv", "separable"})))
        )
        choices.append(Choice(stage, "bits", (2, 4, 8), (f"{stage}.kernel", frozenset({5}))))
    return Choices(choices)


def _tied() -> Choices:
    """Widths that must not fall, where one of a hundred random genotypes is allowed."""
    widths = [Choice(f"s{stage}", "width", (8, 12, 16, 24, 32)) for stage in range(6)]
    pairs = [(widths[stage].name, widths[stage + 1].name) for stage in range(5)]
    return Choices(widths, [Constraint(pair, le) for pair in pairs])


def _proposals(
    make: StrategyFactory,
    choices: Choices,
    window: int,
    seed: int = 1,
    trials: int = _TRIALS,
    statuses: tuple[Status, ...] = _MIXED,
    wrapper: type[CheckedStrategy] = CheckedStrategy,
) -> list[Proposal]:
    """The proposals of one search by a fresh strategy, which must not change global states."""

    def status_of(genotype: Genotype) -> Status:
        return statuses[derive(0, "status", str(genotype)) % len(statuses)]

    def facts(genotype: Genotype) -> Facts:
        over = _BUDGET if status_of(genotype) is Status.OVER_BUDGET else 0.0
        costs = {"size_bytes": 1.0 + derive(0, "size", str(genotype)) % _BUDGET + over}
        return Facts(costs, _OBJECTIVE.budget.excess(costs))

    def submit(number: int, proposal: Proposal) -> Pending:
        genotype, epochs = proposal.genotype, proposal.epochs
        learned = 1.0 if epochs is None else epochs / (1 + epochs)
        accuracy = learned * (1 + sum(genotype)) / (1 + sum(choices.arities))
        metrics = {"accuracy": accuracy, **facts(genotype).costs}
        evaluation = Evaluation(
            id=number,
            genotype=genotype,
            design=choices.decode(genotype),
            status=status_of(genotype),
            reason="",
            metrics=metrics,
            seconds=0.0,
            epochs=epochs,
        )
        return lambda: evaluation

    before = global_states()
    checked = wrapper(make(choices, np.random.default_rng(seed)), choices)
    for _ in search(checked, submit, _OBJECTIVE, trials, window, patience=100, facts=facts):
        pass
    for name, state in global_states().items():
        cause = (
            "a layer is initialized outside nas.seeds.seeded()"
            if name == "torch"
            else "something is drawn from it, not from the rng, or set in it"
        )
        require(
            before.get(name, state) == state,
            f"the global state of {name} must not change, but did",
            cause,
        )
    return checked.proposals
