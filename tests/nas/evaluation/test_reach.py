import math
from collections.abc import Callable

import pytest

from nas.evaluation.reach import can_meet_all, reaches
from nas.objective import Budget
from nas.space import Choice, Choices, Genotype
from nas.strategy import Facts

BITS = (1, 2, 3, 4, 8)
CHOICES = Choices(
    [
        Choice("block", "drop", (False, True)),
        Choice("stem", "prune", (0.0, 0.25, 0.5)),
        Choice("stem", "bits", BITS),
        Choice("block", "bits", BITS, ("block.drop", frozenset({False}))),
    ]
)


def costs(genotype: Genotype) -> dict[str, float]:
    design = CHOICES.decode(genotype)
    kept = 100 * (1 - design.number("stem.prune"))
    block = 0 if design["block.drop"] else 200
    return {
        "size_bytes": kept * design.integer("stem.bits")
        + (block * design.integer("block.bits") if block else 0),
        "macs": kept + block,
    }


def facts_within(budget: Budget) -> Callable[[Genotype], Facts]:
    def facts(genotype: Genotype) -> Facts:
        counted = costs(genotype)
        return Facts(counted, budget.excess(counted))

    return facts


def test_the_smallest_the_middle_and_the_largest_are_found() -> None:
    budget = Budget({"size_bytes": 60, "macs": 40})
    size, macs = reaches(CHOICES, facts_within(budget), budget)
    assert (size.name, size.smallest, size.middle, size.largest) == ("size_bytes", 50, 825, 2400)
    assert (macs.smallest, macs.middle, macs.largest) == (50, 275, 300)
    assert size.can_be_met
    assert not macs.can_be_met


def test_what_is_not_counted_is_left_out() -> None:
    budget = Budget({"latency_ms": 1.0, "macs": 60})

    def facts(genotype: Genotype) -> Facts:
        return Facts(costs(genotype), 0.0)

    assert [reach.name for reach in reaches(CHOICES, facts, budget)] == ["macs"]
    assert reaches(CHOICES, lambda _: Facts({}, math.inf), budget) == []


@pytest.mark.parametrize(("best", "found"), [((2, 0), True), ((1, 2), True)])
def test_each_choice_is_tried_alone_where_kinds_together_do_not_fit(
    best: tuple[int, int], found: bool
) -> None:
    pair = Choices([Choice(site, "bits", (1, 2, 4)) for site in ("a", "b")])

    def facts(genotype: Genotype) -> Facts:
        far = sum(abs(gene - wanted) for gene, wanted in zip(genotype, best, strict=True))
        return Facts({"size_bytes": 10.0 + far}, far / 10)

    (reach,) = reaches(pair, facts, Budget({"size_bytes": 10}))
    assert (reach.smallest, reach.can_be_met) == (10, found)
    assert can_meet_all(pair, facts)


def test_limits_that_can_be_met_only_one_at_a_time_cannot_be_met() -> None:
    # Few bytes take a wide layer of one bit, few multiply-accumulates a narrow one of many.
    pair = Choices([Choice("a", "width", (1, 9)), Choice("a", "bits", (1, 8))])
    budget = Budget({"size_bytes": 5, "macs": 5})

    def facts(genotype: Genotype) -> Facts:
        wide = bool(genotype[0])
        counted = {"size_bytes": 4.0 if wide else 9.0, "macs": 9.0 if wide else 4.0}
        return Facts(counted, budget.excess(counted))

    assert all(reach.can_be_met for reach in reaches(pair, facts, budget))
    assert not can_meet_all(pair, facts)
