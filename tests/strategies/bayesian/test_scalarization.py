import numpy as np
import pytest

from strategies.bayesian.scalarization import dominated, drawn_weights, scalarized

FITNESSES = np.array([[0.1, 0.9], [0.5, 0.5], [0.9, 0.1], [0.1, 0.1]])


@pytest.mark.parametrize(("weights", "best"), [((1.0, 0.0), 2), ((0.5, 0.5), 1), ((0.0, 1.0), 0)])
def test_weights_decide_which_part_of_the_front_is_best(
    weights: tuple[float, float], best: int
) -> None:
    assert np.argmax(scalarized(FITNESSES, np.array(weights))) == best


def test_no_scale_matters() -> None:
    weights = np.array([0.3, 0.7])
    stretched = FITNESSES * [1.0, 1e-9]
    np.testing.assert_array_equal(scalarized(FITNESSES, weights), scalarized(stretched, weights))


def test_what_is_dominated_has_a_lower_score_whatever_the_weights() -> None:
    rng = np.random.default_rng(0)
    for _ in range(100):
        scores = scalarized(FITNESSES, drawn_weights(rng, 2))
        assert scores[3] < scores[:3].max()


def test_weights_sum_to_one_and_differ() -> None:
    rng = np.random.default_rng(0)
    first, second = drawn_weights(rng, 3), drawn_weights(rng, 3)
    assert first.sum() == pytest.approx(1)
    assert (first != second).all()


def test_dominated_is_nowhere_better_and_somewhere_worse() -> None:
    assert dominated(FITNESSES, np.array([0.5, 0.4]))
    assert not dominated(FITNESSES, np.array([0.5, 0.5])), "a copy"
    assert not dominated(FITNESSES, np.array([0.6, 0.4])), "better in one"
