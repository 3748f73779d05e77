import numpy as np
import pytest

from nas.strategy import Proposal
from strategies.multi_fidelity.rank_correlation import RankCorrelations


def correlations(lower: list[float], higher: list[float]) -> RankCorrelations:
    found = RankCorrelations()
    for number, (first, second) in enumerate(zip(lower, higher, strict=True)):
        found.add(Proposal((number,), 2), (first,))
        found.add(Proposal((number,)), (second,))
    return found


def test_it_is_spearmans_between_a_fidelity_and_the_next() -> None:
    given = correlations([0.1, 0.5, 0.4, 0.8, 0.9], [0.2, 0.3, 0.4, 0.7, 0.5])
    # 1 - 6 * (0 + 1 + 1 + 1 + 1) / (5 * 24), from ranks 1 3 2 4 5 and 1 2 3 5 4.
    assert given.with_next() == {2: pytest.approx(0.8)}


def test_few_candidates_and_equal_scores_have_none() -> None:
    assert correlations([0.1, 0.2, 0.3, 0.4], [0.1, 0.2, 0.3, 0.4]).with_next() == {}
    assert correlations([0.5] * 6, [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]).with_next() == {}
    assert correlations([*np.linspace(0, 1, 6)], [*np.linspace(0, 1, 6)]).with_next(7) == {}


def test_candidates_over_the_budget_and_those_that_went_no_further_do_not_count() -> None:
    given = correlations([0.1, 0.2, 0.3, 0.4, 0.5], [0.1, 0.2, 0.3, 0.4, 0.5])
    given.add(Proposal((9,), 2), (0.9,))
    given.add(Proposal((8,), 2), (0.8,))
    given.add(Proposal((8,)), (-1.0,))
    assert given.with_next() == {2: pytest.approx(1.0)}
