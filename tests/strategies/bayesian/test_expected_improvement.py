import numpy as np
import pytest

from strategies.bayesian.expected_improvement import log_expected_improvement


def test_it_is_the_closed_form_and_the_mean_improvement_of_samples() -> None:
    draws = np.random.default_rng(0).normal(0.2, 0.5, size=1_000_000)
    improvements = np.maximum(draws - 0.6, 0).mean()
    (value,) = log_expected_improvement(np.array([0.2]), np.array([0.5]), 0.6)
    assert np.exp(value) == pytest.approx(improvements, rel=0.01)
    # Standard normal at its own mean: the density there.
    (value,) = log_expected_improvement(np.array([0.0]), np.array([1.0]), 0.0)
    assert np.exp(value) == pytest.approx(1 / np.sqrt(2 * np.pi))


def test_far_below_the_best_it_is_finite_and_increasing() -> None:
    means = np.linspace(-100.0, 1.0, 2000)
    values = log_expected_improvement(means, np.ones(2000), 0.0)
    assert np.isfinite(values).all()
    assert (np.diff(values) > 0).all()
