import numpy as np

from nas.space import AnyOf, Choice, Choices
from strategies.bayesian.activity import Activity


def test_choices_of_several_levels_and_alternatives_are_active_as_the_space_says() -> None:
    choices = Choices(
        [
            Choice("", "depth", (1, 2, 3)),
            Choice("", "stem", tuple("abcdefgh")),
            Choice("a", "op", ("skip", "conv"), ("depth", frozenset({2, 3}))),
            Choice("b", "op", ("skip", "conv"), ("depth", frozenset({3}))),
            Choice(
                "",
                "width",
                (8, 16, 24),
                AnyOf(
                    (
                        (("a.op", frozenset({"conv"})), ("stem", frozenset({"a", "h"}))),
                        ("b.op", frozenset({"conv"})),
                    )
                ),
            ),
            Choice("", "bits", (2, 4), ("width", frozenset({24}))),
        ]
    )
    genes = np.random.default_rng(0).integers(choices.arities, size=(500, len(choices)))
    found = [tuple(np.flatnonzero(row)) for row in Activity(choices).of(genes)]
    assert found == [choices.active(row) for row in genes.tolist()]
    assert len(set(found)) > 4
