from nas.space import Choice, Choices
from strategies.listing import designs


def test_every_design_comes_once_and_in_order() -> None:
    choices = Choices(
        [
            Choice("", "depth", (1, 2)),
            Choice("a", "op", ("skip", "conv", "pool"), ("depth", frozenset({2}))),
            Choice("a", "width", (8, 16), ("a.op", frozenset({"conv"}))),
            Choice("", "bits", (4, 8)),
        ]
    )
    listed = list(designs(choices))
    assert len(listed) == choices.size == 10
    assert listed == sorted(set(listed))
    assert all(choices.canonical(genotype) == genotype for genotype in listed)
