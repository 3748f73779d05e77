from collections import Counter
from collections.abc import Callable

import pytest

from nas.space import Genotype
from nas.strategy import Facts
from search_spaces.conv_blocks import ConvBlocks
from search_spaces.first_networks import first_networks

SPACE = ConvBlocks()


def facts_within(limit: float) -> Callable[[Genotype], Facts]:
    def facts(genotype: Genotype) -> Facts:
        design = SPACE.choices.decode(genotype)
        cost = float(design.integer("stage0.width") * design.integer("head.bits"))
        return Facts({"size_bytes": cost}, max(0.0, cost / limit - 1.0))

    return facts


def test_every_pattern_is_as_wide_as_the_limit_allows_at_each_bit_width() -> None:
    found = [SPACE.choices.decode(each) for each in first_networks(SPACE.choices, facts_within(24))]
    widths = Counter((each.integer("head.bits"), each.integer("stage0.width")) for each in found)
    assert widths == {(2, 12): 3, (3, 8): 3, (4, 6): 3}
    for each in found:
        bits = {each[name] for name in each if name.endswith("bits")}
        assert bits == {each["head.bits"]}
        assert (each["stage0.halving"], each["stage0.residual"]) == ("pool", True)
        grown = [each.integer(f"stage{stage}.width") for stage in range(3)]
        assert grown == sorted(grown)
    assert {each.integer("stage2.depth") for each in found} == {1, 2, 3}


def test_the_networks_are_those_of_the_pattern() -> None:
    *_, genotype = first_networks(SPACE.choices, facts_within(1e9))
    design = SPACE.choices.decode(genotype)
    assert [design[f"stage{stage}.width"] for stage in range(3)] == [16, 32, 48]
    assert [design[f"stage2.block{block}.op"] for block in range(3)] == [
        "conv3x3",
        "conv3x3",
        "separable3x3",
    ]


@pytest.mark.parametrize("limit", [1.0, 7.9])
def test_nothing_is_proposed_where_nothing_is_within_the_limit(limit: float) -> None:
    assert first_networks(SPACE.choices, facts_within(limit)) == ()
