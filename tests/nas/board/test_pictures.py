"""Pictures show what they say: pixels of a color where there is something to show."""

from dataclasses import replace

import numpy as np
import pytest

from nas.board.axes import axes
from nas.board.choices_picture import choices_picture
from nas.board.entropy import entropy_of_choices
from nas.board.pareto_picture import pareto_picture
from nas.board.picture import Picture
from nas.objective import Budget, Objective
from tests.nas.board.searches import CHOICES, OBJECTIVE, RUN

RED = (0xD6, 0x27, 0x28)


def share(picture: Picture, color: tuple[int, int, int]) -> float:
    return float((picture[..., :3] == color).all(-1).mean())


def test_the_budget_is_drawn_where_there_is_one() -> None:
    free = replace(OBJECTIVE, budget=Budget())
    assert share(pareto_picture(RUN, free), RED) == 0
    assert share(pareto_picture(RUN, OBJECTIVE), RED) > 0.001


def test_the_axes_are_those_of_the_objective_and_its_budget() -> None:
    objective = Objective(minimize=("macs",), budget=Budget({"peak_memory_bytes": 100.0}))
    assert axes(objective) == [("macs", "accuracy"), ("peak_memory_bytes", "accuracy")]
    assert axes(Objective()) == [("size_bytes", "accuracy")]
    smallest = Objective(maximize=(), minimize=("size_bytes",))
    assert axes(smallest) == [("accuracy", "size_bytes")]
    assert axes(smallest, quality="r2") == [("r2", "size_bytes")]
    trial = replace(RUN[0], metrics={"accuracy": 0.5, "macs": 9.0, "peak_memory_bytes": 9.0})
    wide = pareto_picture([trial], objective)
    assert wide.shape == (500, 1600, 4)


def test_the_choices_of_the_search_are_drawn_and_others_give_another_picture() -> None:
    picture = choices_picture(RUN, CHOICES)
    assert picture.dtype == np.uint8
    others = [replace(each, design={**each.design, "width": 40}) for each in RUN]
    assert not np.array_equal(choices_picture(others, CHOICES), picture)
    # What is over the budget or failed was not made.
    assert np.array_equal(choices_picture([RUN[0], RUN[2], RUN[4]], CHOICES), picture)


def test_the_entropy_falls_from_one_to_zero() -> None:
    widths = (0, 8, 16, 24, 32, 40)
    spread = [
        replace(RUN[0], design={"op": op, "prune": prune, "bias": bias})
        for op in ("conv", "skip")
        for prune in (0.0, 0.5)
        for bias in (False, True)
    ]
    # Three of five choices are at their most, two have one state.
    assert entropy_of_choices(spread, CHOICES) == pytest.approx(3 / 5)
    assert entropy_of_choices([RUN[0]] * len(widths), CHOICES) == 0
