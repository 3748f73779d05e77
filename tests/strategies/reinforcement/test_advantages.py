import numpy as np
import pytest

from strategies.reinforcement.advantages import AdvantageEstimator


def test_the_first_batch_is_normalized_by_its_own_mean_and_deviation() -> None:
    advantages = AdvantageEstimator(decay=0.5)
    np.testing.assert_allclose(advantages([0.4, 0.6]), [-1, 1], rtol=1e-4)
    assert advantages.baseline == pytest.approx(0.5)


def test_the_averages_move_by_one_minus_the_decay() -> None:
    advantages = AdvantageEstimator(decay=0.75)
    advantages([0.4, 0.6])
    # A scale of 0.75 * 0.1 + 0.25 * 0.2, against the old baseline of 0.5.
    np.testing.assert_allclose(advantages([0.7, 0.7]), [1.6, 1.6], rtol=1e-4)
    assert advantages.baseline == pytest.approx(0.55)


@pytest.mark.parametrize("scale", [0.001, 1.0])
def test_the_scale_of_the_rewards_does_not_matter(scale: float) -> None:
    advantages = AdvantageEstimator(decay=0.5)
    batches = [[0.1, 0.5, 0.9], [0.3, 0.8, 0.8]]
    got = [advantages([scale * reward for reward in batch]) for batch in batches]
    np.testing.assert_allclose(got, [[-1.5, 0.0, 1.5], [-0.75, 1.125, 1.125]], rtol=0.01)


def test_infeasible_rewards_have_at_least_minus_half_once_one_is_feasible() -> None:
    advantages = AdvantageEstimator(decay=0.5)
    np.testing.assert_allclose(advantages([0.4, 0.6, -0.01, -1.0]), [-1, 1, -0.5, -0.5], rtol=1e-4)


def test_the_excess_counts_in_full_until_a_reward_is_feasible() -> None:
    advantages = AdvantageEstimator(decay=0.5)
    np.testing.assert_allclose(advantages([-1.0, -0.2]), [-1, 1], rtol=1e-4)
    assert advantages.baseline == pytest.approx(-0.6)
    np.testing.assert_allclose(advantages([-1.0, 0.4, 0.6]), [-0.5, -1, 1], rtol=1e-4)


def test_equal_rewards_have_no_advantage() -> None:
    advantages = AdvantageEstimator(decay=0.5)
    for _ in range(3):
        assert not advantages([-1.0, -1.0, -1.0]).any()
    for _ in range(3):
        assert not advantages([0.25, 0.25]).any()


def test_a_decay_out_of_range_is_refused() -> None:
    for decay in (-0.1, 1.0, float("nan")):
        with pytest.raises(
            ValueError, match=f"decay must be 0 or more and below 1, but got {decay}"
        ):
            AdvantageEstimator(decay)
