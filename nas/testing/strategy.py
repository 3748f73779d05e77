"""The contract of a strategy."""

import random
import sys
from collections.abc import Mapping

import numpy as np

from nas.objective import Budget, Evaluation, Objective, Status
from nas.search_loop import Pending, search
from nas.seeds import derive
from nas.space import Choice, Choices, Genotype
from nas.strategy import Facts, Proposal, StrategyFactory
from nas.testing.proposals import Bounded, Copying, Watched, require

_TRIALS = 40
_BUDGET = 100.0
_OBJECTIVE = Objective(
    maximize=("accuracy",), minimize=("size_bytes",), budget=Budget({"size_bytes": _BUDGET})
)
# What becomes of candidates: each meets one of these, by its genotype.
_MIXED = (Status.OK,) * 6 + (Status.OVER_BUDGET,) * 3 + (Status.FAILED,)


def check_strategy(make: StrategyFactory, choices: Choices | None = None) -> None:
    """Searches a space with made-up evaluations, and says what a strategy does that a run could not
    live with.

    `make` is called with a space and a generator whenever a fresh strategy is needed; `choices`
    replaces the small conditional space that is used otherwise. The fitness has two components. A
    strategy that draws nothing, such as a grid, breaks one part of the contract on purpose: its
    sequence is the same under every seed. More epochs make a candidate better here; one that wants
    facts is told its made-up costs.

    Raises:
        AssertionError: at the first breach, with its likely cause.
    """
    space = _conditional() if choices is None else choices
    for window in (1, 4, 64):
        where = f"with {window} outstanding"
        first = _proposals(make, space, window)
        guess = "it draws from a generator of its own, or its instances share state"
        require(
            _proposals(make, space, window) == first,
            f"one seed must give one sequence, but gave two {where}",
            guess,
        )
        short = _proposals(make, space, window, trials=_TRIALS // 2)
        require(
            short == first[: len(short)],
            f"a longer search must begin like a shorter one, but did not {where}",
            guess,
        )
        guess = "it tells proposals apart by identity, where equal ones are the same"
        replayed = _proposals(make, space, window, watch=Copying)
        require(
            replayed == first,
            f"results told again after a restart must lead on as before, but did not {where}",
            guess,
        )
        guess = "it does not use the rng that it is given"
        other = _proposals(make, space, window, seed=2)
        require(
            other != first or space.size == 1,
            f"two seeds must give two sequences, but gave one {where}",
            guess,
        )
        for status in (Status.OVER_BUDGET, Status.FAILED):
            # Bounding is slow, and what is outstanding does not change who waits for a design that
            # fits.
            _proposals(
                make, space, window, statuses=(status,), watch=Bounded if window == 1 else Watched
            )
        for designs in (1, 2):
            _proposals(
                make, Choices([Choice("", "op", tuple(range(designs)))]), window, watch=Bounded
            )


def _conditional() -> Choices:
    """A stem without a choice, and three stages of which as many are there as the depth says."""
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


def _proposals(
    make: StrategyFactory,
    choices: Choices,
    window: int,
    seed: int = 1,
    trials: int = _TRIALS,
    statuses: tuple[Status, ...] = _MIXED,
    watch: type[Watched] = Watched,
) -> list[Proposal]:
    """All that a fresh strategy proposes in one search, in which the global generators must be left
    alone.
    """

    def status_of(genotype: Genotype) -> Status:
        return statuses[derive(0, "status", str(genotype)) % len(statuses)]

    def facts(genotype: Genotype) -> Facts:
        over = _BUDGET if status_of(genotype) is Status.OVER_BUDGET else 0.0
        costs = {"size_bytes": 1.0 + derive(0, "size", str(genotype)) % _BUDGET + over}
        return Facts(costs, _OBJECTIVE.budget.excess(costs))

    def submit(number: int, proposal: Proposal) -> Pending:
        genotype, epochs = proposal.genotype, proposal.epochs
        learnt = 1.0 if epochs is None else epochs / (1 + epochs)
        accuracy = learnt * (1 + sum(genotype)) / (1 + sum(choices.arities))
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

    before = _global_states()
    watched = watch(make(choices, np.random.default_rng(seed)), choices)
    for _ in search(watched, submit, _OBJECTIVE, trials, window, patience=100, facts=facts):
        pass
    for name, state in _global_states().items():
        guess = (
            "a layer is initialized outside nas.seeds.seeded()"
            if name == "torch"
            else "something was not drawn from the rng"
        )
        require(
            before.get(name, state) == state,
            f"the global generator of {name} must be left alone, but was used",
            guess,
        )
    return watched.proposals


def _global_states() -> Mapping[str, object]:
    """The states of the global generators, in a form that can be compared."""
    states: dict[str, object] = {
        "random": random.getstate(),
        "numpy.random": str(np.random.get_state()),  # noqa: NPY002
    }
    # Only where it is loaded already: a check of a strategy without networks must not pay for this
    # import.
    torch = sys.modules.get("torch")
    if torch is not None:
        states["torch"] = torch.random.get_rng_state().tolist()
    return states
