import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nas.objective import Budget, Evaluation, Fitness, Objective, Status, best
from nas.runs.run import run
from nas.search_loop import Pending, search
from nas.space import Choice, Choices, Genotype
from nas.strategy import Facts, Informed, Proposal, Reporting, StrategyFactory
from nas.training.recipe import Recipe
from strategies.evolutionary.aging import AgingEvolution
from strategies.multi_fidelity.halving import Hyperband, SuccessiveHalving
from strategies.random_search import RandomSearch

CHOICES = Choices([Choice(f"stage{i}", "op", tuple("abcdefgh")) for i in range(4)])
OBJECTIVE = Objective(maximize=("accuracy",), minimize=(), budget=Budget({"size": 24}))
WRAPPERS = (SuccessiveHalving, Hyperband)


def quality(genotype: Genotype) -> float:
    return sum(gene * (index + 1) for index, gene in enumerate(genotype)) / 70


def submit(number: int, proposal: Proposal) -> Pending:
    """Accuracy grows with the epochs, few of which are misleading; the limit of the size is 24."""
    genotype = proposal.genotype
    size = float(sum(genotype))
    if size > 24:
        evaluation = Evaluation(
            id=number,
            genotype=genotype,
            design={},
            status=Status.OVER_BUDGET,
            reason="",
            metrics={"size": size},
            seconds=0.0,
            epochs=proposal.epochs,
        )
        return lambda: evaluation
    epochs = 24 if proposal.epochs is None else proposal.epochs
    noise = math.sin(sum(gene * 7**index for index, gene in enumerate(genotype))) / epochs / 4
    accuracy = min(1.0, max(0.0, quality(genotype) * (0.6 + 0.4 * epochs / 24) + noise))
    evaluation = Evaluation(
        id=number,
        genotype=genotype,
        design={},
        status=Status.OK,
        reason="",
        metrics={"accuracy": accuracy, "size": size},
        seconds=0.0,
        epochs=proposal.epochs,
    )
    return lambda: evaluation


class Recorded:
    """Random search that records its proposals and results."""

    def __init__(self, choices: Choices, rng: np.random.Generator) -> None:
        self.inner = RandomSearch(choices, rng)
        self.asked: list[Proposal] = []
        self.results: list[tuple[Proposal, Fitness]] = []
        self.facts: Callable[[Genotype], Facts] | None = None

    def ask(self) -> Proposal:
        self.asked.append(self.inner.ask())
        return self.asked[-1]

    def tell(self, proposal: Proposal, fitness: Fitness) -> None:
        self.results.append((proposal, fitness))

    def inform(self, facts: Callable[[Genotype], Facts]) -> None:
        self.facts = facts

    def report(self) -> Mapping[str, float]:
        return {"results": len(self.results)}


@pytest.mark.parametrize("wrapper", WRAPPERS)
@pytest.mark.parametrize("window", [1, 5, 64])
def test_the_inner_strategy_gets_one_result_of_the_highest_rung_in_its_order(
    wrapper: Any, window: int
) -> None:
    made: list[Recorded] = []

    def strategy(choices: Choices, rng: np.random.Generator) -> Recorded:
        made.append(Recorded(choices, rng))
        return made[0]

    outer = wrapper(CHOICES, np.random.default_rng(0), strategy=strategy, epochs=24)
    found = list(search(outer, submit, OBJECTIVE, trials=300, window=window))
    inner = made[0]
    assert [proposal for proposal, _ in inner.results] == inner.asked[: len(inner.results)]
    assert len(inner.asked) - len(inner.results) <= 2 * (window + 9), (
        "only those still in a bracket are left"
    )
    last: dict[Genotype, Fitness] = {}
    for evaluation in sorted(found, key=lambda e: math.inf if e.epochs is None else e.epochs):
        last[evaluation.genotype] = OBJECTIVE.fitness(evaluation)
    assert all(fitness == last[proposal.genotype] for proposal, fitness in inner.results)
    assert {evaluation.genotype for evaluation in found} <= {
        proposal.genotype for proposal in inner.asked
    }


def test_each_bracket_of_successive_halving_trains_nine_three_and_one() -> None:
    strategy = SuccessiveHalving(CHOICES, np.random.default_rng(0), RandomSearch, epochs=24)
    found = [e for e in search(strategy, submit, OBJECTIVE, trials=26) if e.status is Status.OK]
    assert [e.epochs for e in found] == ([2] * 9 + [8] * 3 + [None]) * 2
    for start in (0, 13):
        rungs = (
            found[start : start + 9],
            found[start + 9 : start + 12],
            found[start + 12 : start + 13],
        )
        for below, above in pairwise(rungs):
            order = sorted(below, key=lambda e: -e.metrics["accuracy"])
            assert [e.genotype for e in above] == [e.genotype for e in order[: len(above)]]


def test_hyperband_cycles_through_its_brackets() -> None:
    strategy = Hyperband(CHOICES, np.random.default_rng(0), RandomSearch, epochs=24)
    found = [e for e in search(strategy, submit, OBJECTIVE, trials=35) if e.status is Status.OK]
    turn = [2] * 9 + [8] * 3 + [None] + [8] * 5 + [None] + [None] * 3
    assert [e.epochs for e in found] == (turn * 2)[:35]


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_for_the_same_epochs_it_finds_better_networks_than_the_strategy_alone(wrapper: Any) -> None:
    def found(make: StrategyFactory, seed: int) -> float:
        spent, full = 0.0, []
        for evaluation in search(
            make(CHOICES, np.random.default_rng(seed)), submit, OBJECTIVE, trials=10_000
        ):
            spent += 24 if evaluation.epochs is None else evaluation.epochs
            if spent > 40 * 24:
                break
            full.append(evaluation)
        leader = best(full, OBJECTIVE)
        assert leader is not None
        assert leader.epochs is None
        return leader.metrics["accuracy"]

    alone = np.mean([found(RandomSearch, seed) for seed in range(10)])
    wrapped = np.mean(
        [found(partial(wrapper, strategy=RandomSearch, epochs=24), seed) for seed in range(10)]
    )
    assert wrapped > alone + 0.02


def test_facts_and_reports_pass_through() -> None:
    made: list[Recorded] = []

    def strategy(choices: Choices, rng: np.random.Generator) -> Recorded:
        made.append(Recorded(choices, rng))
        return made[0]

    outer = SuccessiveHalving(CHOICES, np.random.default_rng(0), strategy, epochs=24)
    assert isinstance(outer, Informed)
    assert isinstance(outer, Reporting)
    outer.inform(lambda genotype: Facts({}, float(sum(genotype))))
    assert made[0].facts is not None
    assert made[0].facts((1, 2)).excess == 3.0
    assert outer.report() == {"results": 0}
    plain = SuccessiveHalving(CHOICES, np.random.default_rng(0), RandomSearch, epochs=24)
    plain.inform(lambda genotype: Facts({}, 0.0))
    assert plain.report() == {}


def test_nested_wrappers_are_refused() -> None:
    inside = partial(SuccessiveHalving, strategy=RandomSearch, epochs=24)
    with pytest.raises(
        ValueError,
        match="the inner strategy must propose no epochs of its own, but proposed Proposal",
    ):
        Hyperband(CHOICES, np.random.default_rng(0), inside, epochs=24).ask()


def test_a_run_ends_with_a_network_that_was_trained_in_full(
    tiny: Callable[..., Any], tmp_path: Path
) -> None:
    make = partial(
        Hyperband,
        strategy=partial(AgingEvolution, population=4, sample=2),
        epochs=4,
        eta=2,
        least=1,
    )
    recipe = Recipe(epochs=2, finetune_epochs=2, batch_size=10, lr=0.03, finetune_lr=0.03)
    experiment = tiny({"size_bytes": 250.0}, strategy=make, recipe=recipe, trials=16)
    found = run(experiment, tmp_path)
    lengths: dict[float | None, int] = {1: 1, 2: 2, None: 4}
    trained = [e for e in found.evaluations if e.status is Status.OK]
    assert {e.epochs for e in trained} == set(lengths)
    assert all(len(e.history) == lengths[e.epochs] for e in trained)
    assert found.best is not None
    full = [e.metrics["accuracy"] for e in trained if e.epochs is None]
    assert (found.best.epochs, found.best.metrics["accuracy"]) == (None, max(full))


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_a_rung_that_does_not_rank_is_left_out_and_one_that_does_is_told(wrapper: Any) -> None:
    def misled(number: int, proposal: Proposal) -> Pending:
        evaluation = submit(number, proposal)()
        if proposal.epochs == 2 and evaluation.status is Status.OK:
            # The worst of those that are good enough to be promoted rank best.
            wrong = 1.0 - 0.1 * evaluation.metrics["accuracy"]
            evaluation = replace(evaluation, metrics={**evaluation.metrics, "accuracy": wrong})
        return lambda: evaluation

    for responses, kept in ((misled, False), (submit, True)):
        outer = wrapper(CHOICES, np.random.default_rng(0), strategy=RandomSearch, epochs=24)
        found = [
            e for e in search(outer, responses, OBJECTIVE, trials=400) if e.status is Status.OK
        ]
        assert any(e.epochs == 2 for e in found[-60:]) == kept
        assert any(e.epochs == 8 for e in found[-60:])
        ranks = outer.report()
        assert (ranks["rank_correlation_of_2_epochs"] > 0.3) == kept
        assert ranks["rank_correlation_of_8_epochs"] > 0.3
