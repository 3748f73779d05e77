from collections.abc import Sequence

import pytest

from nas.objective import Curve, Epoch
from nas.training.stopping import MedianStop


def curve(*accuracies: float | None) -> Curve:
    return tuple(Epoch(0.0, accuracy) for accuracy in accuracies)


FLAT = [curve(level, level, level) for level in (0.1, 0.3, 0.5, 0.7, 0.9)]


def test_a_candidate_below_the_median_is_stopped() -> None:
    stop = MedianStop(epochs=2, curves=5)
    for reached, expected in (
        (curve(0.4, 0.4), True),
        (curve(0.5, 0.4), False),  # as good as the median once
        (curve(0.4, 0.5), False),
        (curve(0.4, 0.6), False),
        (curve(0.4), False),  # too early
        (curve(), False),
    ):
        assert stop(reached, FLAT) is expected


def test_other_candidates_count_by_their_means_up_to_the_same_epoch() -> None:
    stop, earlier = MedianStop(epochs=2, curves=1), [curve(0.2, 0.6, 0.9)]
    assert [
        stop(curve(*[level] * epochs), earlier)
        for level, epochs in ((0.39, 2), (0.41, 2), (0.5, 3), (0.6, 3))
    ] == [
        True,
        False,
        True,
        False,
    ]


def test_shorter_curves_are_not_compared() -> None:
    stop = MedianStop(epochs=1, curves=2)
    earlier: Sequence[Curve] = [curve(0.9), curve(0.9), curve(0.2, 0.2), curve(0.4, 0.4)]
    assert [
        stop(curve(0.5), earlier),
        stop(curve(0.29, 0.29), earlier),
        stop(curve(0.31, 0.31), earlier),
    ] == [True, True, False]
    assert not stop(curve(0.0, 0.0), earlier[:3]), "one curve of that length is too few"


@pytest.mark.parametrize("name", ["epochs", "curves"])
def test_numbers_below_1_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} must be at least 1, but got 0"):
        MedianStop(**{name: 0})


def test_epochs_without_an_accuracy_count_for_nothing() -> None:
    stop, earlier = MedianStop(epochs=2, curves=1), [curve(None, 0.5, None, 0.9)]
    assert [
        stop(curve(None, 0.4), earlier),
        stop(curve(None, 0.6), earlier),
        stop(curve(None, 0.4, None), earlier),
        stop(curve(None, None), earlier),
        stop(curve(0.4, 0.4), [curve(None, None, 0.9)]),
    ] == [True, False, True, False, False]
