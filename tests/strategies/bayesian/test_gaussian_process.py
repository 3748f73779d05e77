import numpy as np
import pytest

from strategies.bayesian.gaussian_process import Kernel, Posterior, factorize
from strategies.bayesian.inputs import Inputs

RNG = np.random.default_rng(0)
KERNEL = Kernel(
    cost_slope_variances=(0.3,),
    gene_linear_variance=2.0,
    gene_squared_length=0.5,
    cost_variance=0.7,
    cost_squared_length=0.4,
    noise_variance=0.1,
)
OBSERVED = Inputs(RNG.random((3, 4)), RNG.normal(size=(3, 1)))
OTHERS = Inputs(RNG.random((5, 4)), RNG.normal(size=(5, 1)))
VALUES = np.array([0.3, -1.0, 0.7])


def covariance(a: Inputs, b: Inputs) -> list[list[float]]:
    """The kernel written out for each pair."""
    return [
        [
            1.0
            + 2.0 * float(g @ h)
            + float(np.exp(-((g - h) ** 2).sum() / 0.5))
            + 0.3 * float(c @ d)
            + 0.7 * float(np.exp(-((c - d) ** 2).sum() / 0.4))
            for h, d in zip(b.genes, b.costs, strict=True)
        ]
        for g, c in zip(a.genes, a.costs, strict=True)
    ]


def test_the_kernel_is_the_sum_of_its_parts() -> None:
    assert KERNEL.covariance(OBSERVED, OTHERS) == pytest.approx(
        np.array(covariance(OBSERVED, OTHERS))
    )
    assert KERNEL.variances(OTHERS) == pytest.approx(np.diag(covariance(OTHERS, OTHERS)))


def test_without_costs_the_kernel_has_no_terms_of_costs() -> None:
    bare = Inputs(OTHERS.genes, np.zeros((5, 0)))
    kernel = Kernel(gene_linear_variance=2.0, gene_squared_length=0.5)
    assert kernel.variances(bare) == pytest.approx(np.diag(kernel.covariance(bare, bare)))
    assert kernel.variances(bare) == pytest.approx(2.0 + 2.0 * (bare.genes**2).sum(1))


def test_the_posterior_is_the_textbook_formula() -> None:
    inverse = np.linalg.inv(np.array(covariance(OBSERVED, OBSERVED)) + 0.1 * np.eye(3))
    cross = np.array(covariance(OTHERS, OBSERVED))
    scale = VALUES @ inverse @ VALUES / 3
    mean, deviation = Posterior(KERNEL, OBSERVED, VALUES).predict(OTHERS)
    assert mean == pytest.approx(cross @ inverse @ VALUES)
    variance = scale * np.diag(np.array(covariance(OTHERS, OTHERS)) - cross @ inverse @ cross.T)
    assert deviation**2 == pytest.approx(variance)


def test_the_log_likelihood_differs_from_the_log_density_by_a_constant() -> None:
    def log_density(matrix: np.ndarray, scale: float) -> float:
        sign, logdet = np.linalg.slogdet(scale * matrix)
        assert sign == 1
        return float(-0.5 * VALUES @ np.linalg.solve(scale * matrix, VALUES) - 0.5 * logdet)

    found = []
    for noise in (0.1, 2.0):
        matrix = np.array(covariance(OBSERVED, OBSERVED)) + noise * np.eye(3)
        result = factorize(matrix, VALUES)
        assert log_density(matrix, result.signal_variance) > max(
            log_density(matrix, result.signal_variance * f) for f in (0.9, 1.1)
        )
        found.append(log_density(matrix, result.signal_variance) - result.log_likelihood)
    assert found[0] == pytest.approx(found[1])


def test_pending_candidates_lower_the_deviations_and_leave_the_means() -> None:
    alone = Posterior(KERNEL, OBSERVED, VALUES)
    with_pending = Posterior(KERNEL, OBSERVED, VALUES, pending=OTHERS)
    means, deviations = alone.predict(OTHERS)
    later_means, later_deviations = with_pending.predict(OTHERS)
    assert later_means == pytest.approx(means)
    assert (later_deviations < 0.9 * deviations).all()
    assert with_pending.signal_variance == alone.signal_variance
