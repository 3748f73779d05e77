from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from nas.objective import Budget, Evaluation, Objective, Status, best
from nas.search_loop import Pending, search
from nas.space import Choice, Choices, Genotype
from nas.strategy import Facts, Proposal
from strategies.bayesian.surrogate import Surrogate
from strategies.random_search import RandomSearch

CHOICES = Choices([Choice(f"s{i}", "op", ("a", "b", "c", "d", "e")) for i in range(8)])
WORTH = np.random.default_rng(5).random((8, 5))
COST = np.random.default_rng(6).random((8, 5))
OBJECTIVE = Objective(budget=Budget({"macs": 3.5}))


def facts(genotype: Genotype) -> Facts:
    costs = {"macs": float(COST[range(8), genotype].sum())}
    return Facts(costs, OBJECTIVE.budget.excess(costs))


def submit(number: int, proposal: Proposal) -> Pending:
    genotype = proposal.genotype
    known = facts(genotype)
    metrics = {"accuracy": float(WORTH[range(8), genotype].mean()), **known.costs}
    status = Status.OVER_BUDGET if known.excess > 0 else Status.OK
    return lambda: Evaluation(
        id=number,
        genotype=genotype,
        design={},
        status=status,
        reason="",
        metrics=metrics,
        seconds=0.0,
    )


def found(strategy: RandomSearch | Surrogate, trials: int, window: int = 1) -> list[Evaluation]:
    return list(search(strategy, submit, OBJECTIVE, trials, window, facts=facts))


def accuracy(evaluations: list[Evaluation]) -> float:
    top = best(evaluations, OBJECTIVE)
    assert top is not None
    return top.metrics["accuracy"]


@pytest.mark.parametrize("window", [1, 8])
def test_few_evaluations_beat_many_random_ones(window: int) -> None:
    ours = [
        accuracy(found(Surrogate(CHOICES, np.random.default_rng(seed)), 40, window))
        for seed in range(4)
    ]
    random = [
        accuracy(found(RandomSearch(CHOICES, np.random.default_rng(seed)), 400))
        for seed in range(4)
    ]
    assert np.mean(ours) > np.mean(random)


def test_the_first_candidate_is_that_of_the_highest_prior_among_those_looked_up() -> None:
    looked: list[Genotype] = []

    def counted(genotype: Genotype) -> Facts:
        looked.append(genotype)
        return facts(genotype)

    def prior(genotype: Genotype) -> float:
        return float("nan") if genotype[0] == 2 else float(sum(genotype))

    strategy = Surrogate(CHOICES, np.random.default_rng(0), prior=prior)
    strategy.inform(counted)
    first = strategy.ask().genotype
    known = [g for g in looked if facts(g).excess == 0 and g[0] != 2]
    assert len(known) > 3
    assert first == max(known, key=sum)


def test_a_prior_finds_better_candidates_in_as_few_trials() -> None:
    error = 0.5 * np.random.default_rng(7).random((8, 5))  # a correlation of about 0.9

    def prior(genotype: Genotype) -> float:
        return float((WORTH + error)[range(8), genotype].sum())

    def mean(prior: Callable[[Genotype], float] | None) -> float:
        return float(
            np.mean(
                [
                    accuracy(found(Surrogate(CHOICES, np.random.default_rng(s), prior=prior), 14))
                    for s in range(4)
                ]
            )
        )

    assert mean(prior) > mean(None) + 0.02


@pytest.mark.parametrize(("sign", "least", "most"), [(1, 0.7, 1.0), (-1, 0.0, 0.4)])
def test_the_share_near_the_limit_is_that_which_pays(sign: int, least: float, most: float) -> None:
    shares = []
    for seed in range(3):
        strategy = Surrogate(CHOICES, np.random.default_rng(seed))
        strategy.inform(facts)
        used = []
        for _ in range(40):
            proposal = strategy.ask()
            cost = facts(proposal.genotype).costs["macs"]
            used.append(cost / 3.5)
            strategy.tell(proposal, (0.5 + sign * 0.1 * cost,))
        shares.append(np.mean(np.array(used[10:]) > 0.95))
    assert least <= np.mean(shares) <= most


def test_few_of_many_designs_that_exist_are_found() -> None:
    rng = np.random.default_rng(0)
    exist = {CHOICES.sample(rng) for _ in range(CHOICES.size // 30)}
    strategy = Surrogate(CHOICES, np.random.default_rng(0))
    strategy.inform(
        lambda genotype: facts(genotype) if genotype in exist else Facts({}, float("inf"))
    )
    found = []
    for _ in range(30):
        proposal = strategy.ask()
        found.append(proposal.genotype in exist)
        score = float(WORTH[range(8), proposal.genotype].mean()) if found[-1] else -1.0
        strategy.tell(proposal, (score,))
    assert sum(found) >= 25


def test_it_learns_from_results_alone_without_facts() -> None:
    for seed in range(2):
        ours = list(search(Surrogate(CHOICES, np.random.default_rng(seed)), submit, OBJECTIVE, 40))
        late = [evaluation.status for evaluation in ours[-20:]]
        assert late.count(Status.OVER_BUDGET) < 10
        assert accuracy(ours) > accuracy(
            found(RandomSearch(CHOICES, np.random.default_rng(seed)), 100)
        )


@pytest.mark.parametrize("window", [1, 16])
def test_with_facts_nothing_over_budget_is_proposed(window: int) -> None:
    evaluations = found(Surrogate(CHOICES, np.random.default_rng(0)), 40, window)
    assert [evaluation.status for evaluation in evaluations] == [Status.OK] * 40


@pytest.mark.parametrize(("limited", "granted"), [(True, 14), (False, 7)])
def test_lookups_per_proposal_are_limited_and_never_repeated(limited: bool, granted: int) -> None:
    looked: list[Genotype] = []

    def counted(genotype: Genotype) -> Facts:
        looked.append(genotype)
        return facts(genotype) if limited else Facts(facts(genotype).costs, 0.0)

    strategy = Surrogate(CHOICES, np.random.default_rng(0), lookups=7)
    strategy.inform(counted)
    for _ in range(40):
        before = len(looked)
        proposal = strategy.ask()
        assert len(looked) - before <= granted
        strategy.tell(proposal, (float(WORTH[range(8), proposal.genotype].mean()),))
    assert len(looked) > 40
    assert len(set(looked)) == len(looked)


def test_results_of_candidates_without_facts_are_learned_from() -> None:
    strategy = Surrogate(CHOICES, np.random.default_rng(0))
    strategy.inform(facts)
    rng = np.random.default_rng(1)
    for genotype in {CHOICES.sample(rng) for _ in range(100)}:
        strategy.tell(Proposal(genotype), (float(WORTH[range(8), genotype].mean()),))
    later = [strategy.ask().genotype for _ in range(8)]
    assert np.mean([WORTH[range(8), genotype].mean() for genotype in later]) > WORTH.mean() + 0.1
    assert all(facts(genotype).excess == 0 for genotype in later)


def test_only_the_first_component_of_the_fitness_counts() -> None:
    one, two = (Surrogate(CHOICES, np.random.default_rng(0), warmup=3) for _ in range(2))
    for step in range(15):
        proposal = one.ask()
        assert two.ask() == proposal
        score = float(WORTH[range(8), proposal.genotype].mean())
        one.tell(proposal, (score,))
        two.tell(proposal, (score, float(step % 3)))


def test_several_objectives_have_a_front_as_wide_as_that_of_many_random_ones() -> None:
    objective = Objective(minimize=("macs",), budget=Budget({"macs": float(COST.max(1).sum())}))

    def free(genotype: Genotype) -> Facts:
        return Facts(facts(genotype).costs, 0.0)

    def area(strategy: RandomSearch | Surrogate, trials: int) -> float:
        known = [
            objective.fitness(each)
            for each in search(strategy, submit_free, objective, trials, facts=free)
        ]
        reached, total = 0.0, 0.0
        for accuracy, saving in sorted(known, key=lambda fitness: -fitness[1]):
            if accuracy > reached:
                total += (accuracy - reached) * saving
                reached = accuracy
        return total

    def submit_free(number: int, proposal: Proposal) -> Pending:
        return lambda: replace(submit(number, proposal)(), status=Status.OK)

    ours = [
        area(Surrogate(CHOICES, np.random.default_rng(seed), front=True), 50) for seed in range(3)
    ]
    random = [area(RandomSearch(CHOICES, np.random.default_rng(seed)), 500) for seed in range(3)]
    assert min(ours) > max(random)


def test_every_design_is_proposed_once_before_any_is_repeated() -> None:
    choices = Choices(
        [
            Choice("", "op", tuple(range(40))),
            Choice("", "bits", tuple(range(10)), ("op", frozenset({3, 5}))),
        ]
    )
    strategy = Surrogate(choices, np.random.default_rng(0), memory=20)
    proposals = []
    for index in range(choices.size):
        proposals.append(strategy.ask())
        strategy.tell(proposals[-1], (index % 7 / 7,))
    assert len(set(proposals)) == choices.size
    assert strategy.ask() in proposals


def test_what_fails_although_it_fits_is_avoided() -> None:
    strategy = Surrogate(CHOICES, np.random.default_rng(0))
    strategy.inform(lambda genotype: Facts({"macs": 1.0 + sum(genotype)}, 0.0))
    failed = []
    for _ in range(60):
        proposal = strategy.ask()
        failed.append(proposal.genotype[0] in (2, 3, 4))
        strategy.tell(
            proposal, (-1.0 if failed[-1] else float(WORTH[range(8), proposal.genotype].mean()),)
        )
    assert sum(failed[-20:]) < 5


def test_without_feasible_candidates_the_excess_is_reduced() -> None:
    budget = Budget({"macs": 0.1})

    def hopeless(genotype: Genotype) -> Facts:
        costs = facts(genotype).costs
        return Facts(costs, budget.excess(costs))

    strategy = Surrogate(CHOICES, np.random.default_rng(0))
    strategy.inform(hopeless)
    spent = []
    for _ in range(25):
        proposal = strategy.ask()
        spent.append(facts(proposal.genotype).costs["macs"])
        strategy.tell(proposal, (-1.0,))
    assert np.mean(spent[-5:]) < 0.65 * np.mean(
        [facts(CHOICES.sample(np.random.default_rng(i))).costs["macs"] for i in range(50)]
    )


@pytest.mark.parametrize(
    ("name", "value", "least"), [("warmup", 0, 1), ("lookups", 1, 2), ("memory", 1, 2)]
)
def test_settings_out_of_range_are_refused(name: str, value: int, least: int) -> None:
    setting: Any = {name: value}
    with pytest.raises(ValueError, match=f"{name} must be at least {least}, but got {value}"):
        Surrogate(CHOICES, np.random.default_rng(0), **setting)
