from functools import partial

import pytest

from compressors.schedules import constant, cubic, linear, one_shot, polynomial, ratios
from nas.mask import Schedule

GRADUAL = [
    linear,
    cubic,
    partial(polynomial, power=2.0),
    partial(cubic, begin=0.2, end=0.6),
    partial(linear, end=1.0),
]


def test_one_shot_is_over_before_it_begins() -> None:
    assert [one_shot(progress) for progress in (0.0, 0.5, 1.0)] == [1.0, 1.0, 1.0]


def test_a_constant_schedule_removes_all_at_its_beginning() -> None:
    assert [constant(progress, 0.3) for progress in (0.0, 0.29, 0.3, 1.0)] == [0.0, 0.0, 1.0, 1.0]


@pytest.mark.parametrize("schedule", GRADUAL)
def test_a_gradual_schedule_rises_from_0_to_exactly_1(schedule: Schedule) -> None:
    shares = [schedule(step / 100) for step in range(101)]
    assert shares[0] == 0.0
    assert shares[-1] == 1.0
    assert shares == sorted(shares)
    assert len(set(shares)) > 30


def test_the_mask_stays_for_the_last_part_of_training() -> None:
    assert [schedule(0.75) for schedule in (linear, cubic)] == [1.0, 1.0]
    assert max(schedule(0.74) for schedule in (linear, cubic)) < 1.0
    assert cubic(0.6, 0.2, 0.6) == 1.0
    assert (cubic(0.2, 0.2, 0.6), linear(0.1, 0.2)) == (0.0, 0.0)


def test_the_values_are_those_of_the_formulas() -> None:
    assert linear(0.3, 0.0, 0.75) == pytest.approx(0.4)
    assert linear(0.5, 0.4, 0.8) == pytest.approx(0.25)
    assert polynomial(0.5, 2.0, 0.0, 1.0) == pytest.approx(0.75)
    # Zhu and Gupta (2017): s = s_f + (s_0 - s_f) (1 - t)^3 with s_0 = 0.
    assert cubic(0.375) == pytest.approx(1 - 0.5**3)
    assert cubic(0.25, 0.0, 1.0) == pytest.approx(1 - 0.75**3)


@pytest.mark.parametrize(
    ("begin", "end", "power"), [(0.5, 0.5, 3.0), (-0.1, 0.5, 3.0), (0.0, 1.1, 3.0), (0.0, 1.0, 0.0)]
)
def test_parameters_out_of_range_are_refused(begin: float, end: float, power: float) -> None:
    with pytest.raises(
        ValueError, match="a schedule must have 0 <= begin < end <= 1 and a positive power"
    ):
        polynomial(0.0, power, begin, end)


def test_rounds_end_with_exactly_the_final_ratio() -> None:
    assert ratios(partial(linear, end=1.0), 0.8, 4) == pytest.approx([0.2, 0.4, 0.6, 0.8])
    assert ratios(one_shot, 0.7, 3) == [0.7, 0.7, 0.7]
    assert ratios(lambda progress: 0.5 * progress, 0.9, 2) == [0.225, 0.9]
    assert ratios(cubic, 0.3, 1) == [0.3]
    with pytest.raises(ValueError, match="at least 1 round, but got 0"):
        ratios(linear, 0.5, 0)
