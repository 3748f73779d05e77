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


def surveyed(count: int) -> tuple[CostModel, Counted]:
    facts = Counted()
    survey = CostModel(ENCODING, facts)
    survey.allow(10_000)
    survey.look(sampled(count))
    return survey, facts


def test_no_more_are_looked_up_than_is_allowed_and_none_twice() -> None:
    facts = Counted()
    survey = CostModel(ENCODING, facts)
    many = sampled(50)
    survey.allow(7)
    assert survey.look(many[:5]) == many[:5]
    assert survey.look(many) == many[:7]
    assert facts.asked == many[:7]
    survey.allow(3)
    assert survey.look(many) == many[:10]
    assert facts.asked == many[:10]


def test_open_are_those_that_fit_and_were_not_proposed() -> None:
    survey, _ = surveyed(100)
    fitting = [genotype for genotype in sampled(100) if sum(genotype) <= 12]
    assert survey.open == fitting
    survey.proposed(fitting[0])
    assert survey.open == fitting[1:]
    assert survey.is_fit(fitting[0])


def test_sizes_are_shares_of_the_limit() -> None:
    survey, _ = surveyed(100)
    assert survey.limits.known == pytest.approx({"macs": 18.0})
    assert survey.sizes([sampled(100)[0]]) == pytest.approx((6 + sum(sampled(100)[0])) / 18)


def test_costs_and_fit_of_others_are_predicted() -> None:
    survey, facts = surveyed(250)
    others = sampled(700)[300:]
    predicted, labels = survey.predicted(others)
    shares = survey.predicted_shares(others)
    true = np.array([(6 + sum(genotype)) / 18 for genotype in others])
    assert np.abs(shares - true).mean() < 0.02
    assert ((labels < -0.25) == (true <= 1)).mean() > 0.8
    assert not set(others) & set(facts.asked)
    survey.allow(len(others))
    survey.look(others)
    assert np.corrcoef(predicted[:, 1], survey.costs(others)[:, 1])[0, 1] > 0.95


def test_what_cannot_be_built_is_not_fit_and_has_no_costs() -> None:
    survey = CostModel(
        ENCODING, lambda genotype: Facts({}, math.inf) if genotype[0] else Facts({"macs": 3.0}, 0.0)
    )
    survey.allow(2)
    survey.look([(1,) * 6, (0,) * 6])
    assert survey.open == [(0,) * 6]
    assert np.isnan(survey.costs([(1,) * 6])).all()
    predicted, labels = survey.predicted([(2,) * 6, (0,) * 6])
    assert np.isfinite(predicted).all()
    assert labels[0] > labels[1]


def test_failures_are_learnt_without_facts() -> None:
    survey = CostModel(ENCODING)
    for genotype in sampled(100):
        survey.told(genotype, -1.0 if genotype[2] == 3 else 0.8)
    _, labels = survey.predicted([genotype for genotype in sampled(400)[100:] if genotype[2] == 3])
    assert (labels > 0).mean() > 0.8
    assert [genotype[2] == 3 for genotype in survey.nearest(10)] == [False] * 10
