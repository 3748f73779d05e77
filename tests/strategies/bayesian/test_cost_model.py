import math

import numpy as np
import pytest

from nas.objective import Budget
from nas.space import Choice, Choices, Genotype
from nas.strategy import Facts
from strategies.bayesian.cost_model import CostModel
from strategies.bayesian.encoding import Encoding, genotypes

CHOICES = Choices([Choice(f"s{i}", "width", tuple(range(1, 6))) for i in range(6)])
ENCODING = Encoding(CHOICES)
BUDGET = Budget({"macs": 18.0})


class Counted:
    def __init__(self) -> None:
        self.asked: list[Genotype] = []

    def __call__(self, genotype: Genotype) -> Facts:
        self.asked.append(genotype)
        costs = {"macs": 6.0 + sum(genotype), "params": math.prod(gene + 1.0 for gene in genotype)}
        return Facts(costs, BUDGET.excess(costs))


def sampled(count: int) -> list[Genotype]:
    return list(dict.fromkeys(genotypes(ENCODING.sample(np.random.default_rng(0), count))))


def model_of(count: int) -> tuple[CostModel, Counted]:
    facts = Counted()
    cost_model = CostModel(ENCODING, facts)
    cost_model.allow_lookups(10_000)
    cost_model.look_up(sampled(count))
    return cost_model, facts


def test_lookups_are_limited_and_never_repeated() -> None:
    facts = Counted()
    cost_model = CostModel(ENCODING, facts)
    many = sampled(50)
    cost_model.allow_lookups(7)
    assert cost_model.look_up(many[:5]) == many[:5]
    assert cost_model.look_up(many) == many[:7]
    assert facts.asked == many[:7]
    cost_model.allow_lookups(3)
    assert cost_model.look_up(many) == many[:10]
    assert facts.asked == many[:10]


def test_unproposed_candidates_are_the_feasible_ones_that_were_looked_up() -> None:
    cost_model, _ = model_of(100)
    fitting = [genotype for genotype in sampled(100) if sum(genotype) <= 12]
    assert cost_model.unproposed == fitting
    cost_model.mark_proposed(fitting[0])
    assert cost_model.unproposed == fitting[1:]
    assert cost_model.is_feasible(fitting[0])


def test_utilization_is_relative_to_the_limit() -> None:
    cost_model, _ = model_of(100)
    assert cost_model.limits.known == pytest.approx({"macs": 18.0})
    assert cost_model.utilization([sampled(100)[0]]) == pytest.approx(
        (6 + sum(sampled(100)[0])) / 18
    )


def test_costs_and_constraints_of_other_candidates_are_predicted() -> None:
    cost_model, facts = model_of(250)
    others = sampled(700)[300:]
    predicted, constraints = cost_model.predict(others)
    utilization = cost_model.predict_utilization(others)
    true = np.array([(6 + sum(genotype)) / 18 for genotype in others])
    assert np.abs(utilization - true).mean() < 0.02
    assert ((constraints < -0.25) == (true <= 1)).mean() > 0.8
    assert not set(others) & set(facts.asked)
    cost_model.allow_lookups(len(others))
    cost_model.look_up(others)
    assert np.corrcoef(predicted[:, 1], cost_model.costs(others)[:, 1])[0, 1] > 0.95


def test_a_candidate_that_cannot_be_built_is_infeasible_and_has_no_costs() -> None:
    cost_model = CostModel(
        ENCODING, lambda genotype: Facts({}, math.inf) if genotype[0] else Facts({"macs": 3.0}, 0.0)
    )
    cost_model.allow_lookups(2)
    cost_model.look_up([(1,) * 6, (0,) * 6])
    assert cost_model.unproposed == [(0,) * 6]
    assert np.isnan(cost_model.costs([(1,) * 6])).all()
    predicted, constraints = cost_model.predict([(2,) * 6, (0,) * 6])
    assert np.isfinite(predicted).all()
    assert constraints[0] > constraints[1]


def test_failures_are_learned_without_facts() -> None:
    cost_model = CostModel(ENCODING)
    for genotype in sampled(100):
        cost_model.observe(genotype, -1.0 if genotype[2] == 3 else 0.8)
    _, constraints = cost_model.predict(
        [genotype for genotype in sampled(400)[100:] if genotype[2] == 3]
    )
    assert (constraints > 0).mean() > 0.8
    assert [genotype[2] == 3 for genotype in cost_model.least_infeasible(10)] == [False] * 10


def test_ten_that_cannot_be_built_count_as_one_and_enough_ends_a_lookup() -> None:
    def facts(genotype: Genotype) -> Facts:
        built = genotype[0] == 0
        return Facts({"macs": 1.0}, 0.0) if built else Facts({}, math.inf)

    cost_model = CostModel(Encoding(CHOICES), facts)
    candidates = list(dict.fromkeys(CHOICES.sample(np.random.default_rng(0)) for _ in range(300)))
    missing = [genotype for genotype in candidates if genotype[0] != 0]
    built = [genotype for genotype in candidates if genotype[0] == 0]
    cost_model.allow_lookups(4)
    assert cost_model.look_up(missing) == missing[:31]
    assert cost_model.look_up(built) == []
    cost_model.allow_lookups(4)
    assert cost_model.look_up([*missing[:5], *built], enough=2) == [*missing[:5], *built[:2]]
    assert cost_model.look_up(built) == built[:4]
