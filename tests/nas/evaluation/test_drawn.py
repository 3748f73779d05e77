import math
import operator
from collections.abc import Callable

import pytest

from nas.evaluation.drawn import drawn_within
from nas.objective import Budget
from nas.seeds import generator
from nas.space import Choice, Choices, Constraint, Genotype
from nas.strategy import Facts

LAYERS = Choices(
    [
        Choice("", "depth", (2, 1)),
        *(Choice(f"layer{i}", "width", (8, 2, 4, 16, 32)) for i in range(6)),
        Choice("extra", "width", (8, 16, 32), ("depth", frozenset({2}))),
    ]
)


def facts(genotype: Genotype) -> Facts:
    """Costs that the option of each choice adds to, be it the first or not."""
    design = LAYERS.decode(genotype)
    widths = [value for name, value in design.items() if name.endswith("width")]
    return Facts({"params": float(sum(map(int, map(str, widths))))}, 0.0)


def params(genotype: Genotype) -> float:
    return facts(genotype).costs["params"]


def drawn(
    limit: float, count: int = 40, seed: int = 0, lookup: Callable[[Genotype], Facts] = facts
) -> tuple[Genotype, ...]:
    budget = Budget({"params": limit, "latency_ms": 1.0})
    return drawn_within(LAYERS, lookup, budget, generator(seed, "x"), count)


@pytest.mark.parametrize("limit", [20, 40, 80])
def test_designs_are_within_the_budget_and_most_are_near_it(limit: float) -> None:
    found = drawn(limit)
    assert len(found) == len(set(found)) > 10
    assert all(each == LAYERS.canonical(each) and params(each) <= limit for each in found)
    assert sum(params(each) > 0.6 * limit for each in found) > len(found) / 2


def test_mixtures_that_constraints_forbid_are_brought_near() -> None:
    growing = Constraint(("layer0.width", "layer1.width"), operator.le)
    tied = Choices(tuple(LAYERS), [growing])
    budget = Budget({"params": 40.0})
    found = drawn_within(tied, facts, budget, generator(0, "x"), 40)
    assert len(found) > 10
    assert all(each == tied.canonical(each) and params(each) <= 40 for each in found)


def test_designs_follow_from_the_generator() -> None:
    assert drawn(40) == drawn(40) != drawn(40, seed=1)


def test_a_budget_that_limits_nothing_lets_all_designs_be_random() -> None:
    found = drawn(10_000.0)
    rng = generator(0, "x")
    assert found[0] == LAYERS.canonical(rng.integers(LAYERS.arities).tolist())
    assert max(map(params, found)) > 100


def test_each_design_takes_few_lookups() -> None:
    seen = list[Genotype]()

    def counted(genotype: Genotype) -> Facts:
        seen.append(genotype)
        return facts(genotype)

    drawn(40, lookup=counted)
    assert len(seen) <= 20 + 40 * (1 + math.ceil(math.log2(len(LAYERS))))


def test_of_a_budget_that_nothing_meets_the_smallest_is_drawn() -> None:
    (smallest,) = drawn(1.0)
    assert params(smallest) == 12


def test_a_space_in_which_nothing_can_be_built_is_refused() -> None:
    with pytest.raises(ValueError, match="designs that can be built, but none was found"):
        drawn(40, lookup=lambda _: Facts({}, math.inf))
