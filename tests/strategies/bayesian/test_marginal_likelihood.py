import numpy as np
import pytest

from strategies.bayesian.gaussian_process import Kernel, factorize
from strategies.bayesian.inputs import Inputs
from strategies.bayesian.marginal_likelihood import (
    GENE_SQUARED_LENGTHS,
    NOISE_VARIANCES,
    maximize_likelihood,
)

RNG = np.random.default_rng(1)
GENES = np.eye(4)[RNG.integers(4, size=(60, 6))].reshape(60, -1) * np.sqrt(0.5 / 6)
COSTS = RNG.normal(size=(60, 2))
ERRORS = RNG.normal(size=60)


def fitted(values: np.ndarray) -> Kernel:
    kernel = Kernel(cost_slope_variances=(0.3, 0.3))
    for _ in range(3):
        kernel = maximize_likelihood([kernel], Inputs(GENES, COSTS), values)
    return kernel


def test_a_slope_is_found_where_there_is_one_and_only_there() -> None:
    kernel = fitted(3.0 * COSTS[:, 1] + 0.1 * ERRORS)
    assert kernel.cost_slope_variances[1] >= 1.0
    assert kernel.cost_slope_variances[0] == 0.0


def test_correlation_by_costs_is_found() -> None:
    # Twelve kinds of equal costs, five candidates each, with a value per kind.
    kinds = np.arange(60) % 12
    costs, worth = RNG.normal(size=(12, 2))[kinds], RNG.normal(size=12)[kinds]
    kernel = Kernel(cost_slope_variances=(0.3, 0.3), cost_variance=0.0)
    for _ in range(3):
        kernel = maximize_likelihood([kernel], Inputs(GENES, costs), worth)
    assert kernel.cost_variance > 0
    assert fitted(GENES @ RNG.normal(size=24)).cost_variance <= 0.1


def test_noise_is_distinguished_from_signal() -> None:
    signal = GENES @ RNG.normal(size=24)
    clean, noisy = fitted(signal), fitted(signal / signal.std() + 3.0 * ERRORS)
    assert clean.noise_variance == NOISE_VARIANCES[0]
    assert noisy.noise_variance >= 0.1


def test_a_round_never_lowers_the_likelihood() -> None:
    inputs, values = Inputs(GENES, COSTS), np.sin(5 * GENES.sum(1)) + ERRORS

    def log_likelihood(kernel: Kernel) -> float:
        return factorize(
            kernel.covariance(inputs, inputs) + kernel.noise_variance * np.eye(60), values
        ).log_likelihood

    for length in GENE_SQUARED_LENGTHS:
        start = Kernel(cost_slope_variances=(0.0, 3.0), gene_squared_length=length)
        assert log_likelihood(maximize_likelihood([start], inputs, values)) > log_likelihood(start)


def test_a_start_off_the_grid_is_refused() -> None:
    with pytest.raises(ValueError, match="not in tuple"):
        maximize_likelihood(
            [Kernel(cost_slope_variances=(0.3, 0.3), gene_squared_length=0.4)],
            Inputs(GENES, COSTS),
            ERRORS,
        )


def test_the_best_start_wins() -> None:
    inputs, values = Inputs(GENES, COSTS), GENES @ RNG.normal(size=24) + 0.1 * ERRORS
    far, near = (
        Kernel(cost_slope_variances=(3.0, 3.0), gene_linear_variance=0.0, noise_variance=0.3),
        fitted(values),
    )
    assert (
        maximize_likelihood([far, near], inputs, values)
        == maximize_likelihood([near, far], inputs, values)
        == maximize_likelihood([near], inputs, values)
    )
