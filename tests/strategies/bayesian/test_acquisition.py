import numpy as np
import pytest

from nas.space import Choice, Choices, Genotype
from nas.strategy import Facts
from strategies.bayesian.acquisition import Acquisition
from strategies.bayesian.cost_model import CostModel
from strategies.bayesian.encoding import Encoding, genotypes
from strategies.bayesian.results import Results

CHOICES = Choices([Choice(f"s{i}", "op", ("a", "b", "c", "d")) for i in range(6)])
ENCODING = Encoding(CHOICES)
RNG = np.random.default_rng(3)
SAMPLED = list(dict.fromkeys(genotypes(ENCODING.sample(RNG, 400))))
WORTH = RNG.random((6, 4))


def worth(genotype: Genotype) -> float:
    return float(WORTH[range(6), genotype].sum())


def believed(count: int, pending: list[Genotype], outlier: float = 0.0) -> Acquisition:
    survey = CostModel(
        ENCODING,
        lambda genotype: Facts({"macs": 1.0 + sum(genotype)}, 0.1 if genotype[0] == 3 else 0.0),
    )
    survey.allow(1000)
    survey.look(SAMPLED)
    results, belief = Results(300), Acquisition(ENCODING, survey)
    for index, genotype in enumerate(SAMPLED[:count]):
        results.add(genotype, outlier if outlier and index == 0 else worth(genotype))
    belief.update(results, pending)
    return belief


def test_it_expects_most_of_what_is_best() -> None:
    fitting = [genotype for genotype in SAMPLED[60:] if genotype[0] != 3]
    expected = believed(60, []).expectations(fitting)
    ranks = np.argsort(np.argsort([worth(genotype) for genotype in fitting]))
    assert ranks[int(np.argmax(expected))] >= len(fitting) - 5
    assert np.corrcoef(expected, ranks)[0, 1] > 0.8


def test_what_will_hardly_fit_is_guessed_to_promise_less() -> None:
    belief = believed(60, [])
    over = [genotype for genotype in SAMPLED[60:] if genotype[0] == 3]
    assert (belief.guesses(over) < belief.expectations(over) - 1).all()


def test_what_is_pending_promises_little_more() -> None:
    pending = SAMPLED[60:70]
    assert (
        believed(60, pending).expectations(pending) < believed(60, []).expectations(pending)
    ).all()


def test_only_ranks_count() -> None:
    others = SAMPLED[60:]
    assert believed(60, [], outlier=-5.0).expectations(others) == pytest.approx(
        believed(60, [], outlier=-1e9).expectations(others)
    )


def test_equal_results_and_equal_costs_are_no_trouble() -> None:
    survey = CostModel(ENCODING, lambda _: Facts({"macs": 7.0, "params": 0.0}, 0.0))
    survey.allow(20)
    survey.look(SAMPLED[:20])
    results, belief = Results(300), Acquisition(ENCODING, survey)
    for genotype in SAMPLED[:10]:
        results.add(genotype, 0.5)
        belief.update(results, SAMPLED[10:12])
        assert np.isfinite(belief.guesses(SAMPLED)).all()
