import numpy as np
import pytest

from strategies.bayesian.gaussian_process import Inputs, Kernel, factored
from strategies.bayesian.hyperparameters import NOISES, REACHES, maximize_likelihood

RNG = np.random.default_rng(1)
GENES = np.eye(4)[RNG.integers(4, size=(60, 6))].reshape(60, -1) * np.sqrt(0.5 / 6)
COSTS = RNG.normal(size=(60, 2))
ERRORS = RNG.normal(size=60)


def learnt(values: np.ndarray) -> Kernel:
    kernel = Kernel(slopes=(0.3, 0.3))
    for _ in range(3):
        kernel = maximize_likelihood([kernel], Inputs(GENES, COSTS), values)
    return kernel


def test_a_slope_is_found_where_there_is_one_and_only_there() -> None:
    kernel = learnt(3.0 * COSTS[:, 1] + 0.1 * ERRORS)
    assert kernel.slopes[1] >= 1.0
    assert kernel.slopes[0] == 0.0


def test_candidates_of_like_costs_are_found_to_be_alike() -> None:
    # Twelve pairs of costs, five candidates each, that are as good as the others of their kind and
    # unlike the rest.
    kinds = np.arange(60) % 12
    costs, worth = RNG.normal(size=(12, 2))[kinds], RNG.normal(size=12)[kinds]
    kernel = Kernel(slopes=(0.3, 0.3), echo=0.0)
    for _ in range(3):
        kernel = maximize_likelihood([kernel], Inputs(GENES, costs), worth)
    assert kernel.echo > 0
    assert learnt(GENES @ RNG.normal(size=24)).echo <= 0.1


def test_noise_is_told_from_signal() -> None:
    signal = GENES @ RNG.normal(size=24)
    clean, noisy = learnt(signal), learnt(signal / signal.std() + 3.0 * ERRORS)
    assert clean.noise == NOISES[0]
    assert noisy.noise >= 0.1


def test_a_round_never_lowers_the_evidence() -> None:
    inputs, values = Inputs(GENES, COSTS), np.sin(5 * GENES.sum(1)) + ERRORS

    def evidence(kernel: Kernel) -> float:
        return factored(kernel.between(inputs, inputs) + kernel.noise * np.eye(60), values).evidence

    for reach in REACHES:
        start = Kernel(slopes=(0.0, 3.0), reach=reach)
        assert evidence(maximize_likelihood([start], inputs, values)) > evidence(start)


def test_a_start_off_the_grid_is_refused() -> None:
    with pytest.raises(ValueError, match="not in tuple"):
        maximize_likelihood([Kernel(slopes=(0.3, 0.3), reach=0.4)], Inputs(GENES, COSTS), ERRORS)


def test_the_better_of_two_climbs_counts() -> None:
    inputs, values = Inputs(GENES, COSTS), GENES @ RNG.normal(size=24) + 0.1 * ERRORS
    far, near = Kernel(slopes=(3.0, 3.0), linear=0.0, noise=0.3), learnt(values)
    assert (
        maximize_likelihood([far, near], inputs, values)
        == maximize_likelihood([near, far], inputs, values)
        == maximize_likelihood([near], inputs, values)
    )
