from collections.abc import Callable

import numpy as np
import pytest

from nas.space import Choice, Choices, Genotype
from nas.strategy import Facts
from strategies.bayesian.acquisition import Acquisition
from strategies.bayesian.cost_model import CostModel
from strategies.bayesian.encoding import Encoding, genotypes
from strategies.bayesian.observations import Observations

CHOICES = Choices([Choice(f"s{i}", "op", ("a", "b", "c", "d")) for i in range(6)])
ENCODING = Encoding(CHOICES)
RNG = np.random.default_rng(3)
SAMPLED = list(dict.fromkeys(genotypes(ENCODING.sample(RNG, 400))))
WORTH = RNG.random((6, 4))


def worth(genotype: Genotype) -> float:
    return float(WORTH[range(6), genotype].sum())


def fitted(
    count: int,
    pending: list[Genotype],
    outlier: float = 0.0,
    prior: Callable[[Genotype], float] | None = None,
) -> Acquisition:
    cost_model = CostModel(
        ENCODING,
        lambda genotype: Facts({"macs": 1.0 + sum(genotype)}, 0.1 if genotype[0] == 3 else 0.0),
    )
    cost_model.allow_lookups(1000)
    cost_model.look_up(SAMPLED)
    observations, acquisition = Observations(300), Acquisition(ENCODING, cost_model, prior)
    for index, genotype in enumerate(SAMPLED[:count]):
        observations.add(genotype, outlier if outlier and index == 0 else worth(genotype))
    acquisition.fit(observations, pending)
    return acquisition


def test_expected_improvement_ranks_candidates_by_their_worth() -> None:
    fitting = [genotype for genotype in SAMPLED[60:] if genotype[0] != 3]
    expected = fitted(60, []).log_ei(fitting)
    ranks = np.argsort(np.argsort([worth(genotype) for genotype in fitting]))
    assert ranks[int(np.argmax(expected))] >= len(fitting) - 5
    assert np.corrcoef(expected, ranks)[0, 1] > 0.8


def test_likely_infeasible_candidates_are_penalized() -> None:
    acquisition = fitted(60, [])
    over = [genotype for genotype in SAMPLED[60:] if genotype[0] == 3]
    assert (acquisition.log_constrained_ei(over) < acquisition.log_ei(over) - 1).all()


def test_pending_candidates_have_less_expected_improvement() -> None:
    pending = SAMPLED[60:70]
    assert (fitted(60, pending).log_ei(pending) < fitted(60, []).log_ei(pending)).all()


def test_only_the_ranks_of_scores_matter() -> None:
    others = SAMPLED[60:]
    assert fitted(60, [], outlier=-5.0).log_ei(others) == pytest.approx(
        fitted(60, [], outlier=-1e9).log_ei(others)
    )


def test_equal_scores_and_equal_costs_give_finite_values() -> None:
    cost_model = CostModel(ENCODING, lambda _: Facts({"macs": 7.0, "params": 0.0}, 0.0))
    cost_model.allow_lookups(20)
    cost_model.look_up(SAMPLED[:20])
    observations, acquisition = Observations(300), Acquisition(ENCODING, cost_model)
    for genotype in SAMPLED[:10]:
        observations.add(genotype, 0.5)
        acquisition.fit(observations, SAMPLED[10:12])
        assert np.isfinite(acquisition.log_constrained_ei(SAMPLED)).all()


def correlation(prior: Callable[[Genotype], float] | None, count: int) -> float:
    """That of expected improvement and worth, after as many observations."""
    fitting = [genotype for genotype in SAMPLED[60:] if genotype[0] != 3]
    expected = fitted(count, [], prior=prior).log_ei(fitting)
    return float(np.corrcoef(expected, [worth(genotype) for genotype in fitting])[0, 1])


def test_few_observations_are_ranked_by_the_prior_and_many_overrule_it() -> None:
    assert correlation(worth, 4) > 0.7 > 0.4 > correlation(None, 4)
    assert correlation(lambda genotype: -worth(genotype), 4) < 0
    assert correlation(lambda genotype: -worth(genotype), 60) > 0.4
    assert correlation(lambda genotype: hash(genotype) % 97, 60) > 0.7


def test_the_scale_of_a_prior_does_not_matter() -> None:
    others = SAMPLED[60:]
    scaled = fitted(30, [], prior=lambda genotype: 1e6 * worth(genotype) - 7.0).log_ei(others)
    assert fitted(30, [], prior=worth).log_ei(others) == pytest.approx(scaled)


@pytest.mark.parametrize("missing", [np.nan, np.inf, -np.inf])
def test_a_missing_prior_is_neither_good_nor_bad(missing: float) -> None:
    def prior(genotype: Genotype) -> float:
        return missing if genotype[1] == 0 else 5.0

    others = SAMPLED[60:]
    assert fitted(30, [], prior=prior).log_ei(others) == pytest.approx(
        fitted(30, [], prior=lambda _: missing).log_ei(others)
    )
    assert np.isfinite(fitted(1, [], prior=prior).log_ei(others)).all()
