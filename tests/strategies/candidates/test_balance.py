import numpy as np
import pytest

from nas.objective import Budget
from nas.space import Choice, Choices, Genotype
from nas.strategy import Facts
from strategies.candidates.balance import TRIES, Balance
from strategies.candidates.variation import mutate

CHOICES = Choices([Choice(f"stage{i}", "width", tuple(range(5))) for i in range(6)])
LIMIT = 12.0
PARENT: Genotype = (2,) * 6


def facts(genotype: Genotype) -> Facts:
    costs = {"macs": float(sum(genotype)), "params": float(max(genotype))}
    return Facts(costs, Budget({"macs": LIMIT}).excess(costs))


def balance(share: float, seed: int = 0) -> Balance:
    found = Balance(CHOICES, np.random.default_rng(seed), share)
    found.inform(facts)
    return found


def test_what_is_saved_is_spent_and_what_is_too_much_is_saved() -> None:
    mutated = [mutate(CHOICES, PARENT, np.random.default_rng(seed)) for seed in range(100)]
    balanced = [balance(1.0, seed).mutate(PARENT) for seed in range(100)]
    plain, costs = ([facts(each).costs["macs"] for each in found] for found in (mutated, balanced))
    assert sum(cost > LIMIT for cost in plain) > 30
    assert sum(cost > LIMIT for cost in costs) < 10
    assert (
        np.mean([LIMIT - cost for cost in costs if cost <= LIMIT])
        < 0.6
        < 0.5 * np.mean([LIMIT - cost for cost in plain if cost <= LIMIT])
    )


def test_the_first_mutation_stays() -> None:
    for seed in range(50):
        first = mutate(CHOICES, PARENT, np.random.default_rng(seed))
        (changed,) = (i for i in range(6) if first[i] != PARENT[i])
        assert balance(1.0, seed).mutate(PARENT)[changed] == first[changed]


def test_within_the_budget_no_cost_is_given_for_another() -> None:
    strategy = Balance(CHOICES, np.random.default_rng(0), 1.0)

    def trading(genotype: Genotype) -> Facts:
        return Facts({"macs": float(sum(genotype)), "params": -float(sum(genotype))}, 0.0)

    strategy.inform(trading)
    for _ in range(20):
        child = strategy.mutate(PARENT)
        assert sum(a != b for a, b in zip(PARENT, child, strict=True)) == 1


def test_lookups_are_bounded() -> None:
    looked = list[Genotype]()

    def counted(genotype: Genotype) -> Facts:
        looked.append(genotype)
        return facts(genotype)

    strategy = Balance(CHOICES, np.random.default_rng(0), 1.0)
    strategy.inform(counted)
    strategy.mutate(PARENT)
    assert 1 < len(looked) <= 1 + TRIES


def test_without_a_share_or_facts_mutations_are_plain_and_draw_nothing_more() -> None:
    wanted, rng = [], np.random.default_rng(3)
    for _ in range(20):
        wanted.append(mutate(CHOICES, PARENT, rng))
    uninformed = Balance(CHOICES, np.random.default_rng(3), 1.0)
    for strategy in (balance(0.0, 3), uninformed):
        assert [strategy.mutate(PARENT) for _ in range(20)] == wanted


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_a_share_out_of_range_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match="balanced must be within 0 … 1, but got"):
        balance(share)
