from typing import Any

import pytest
import torch
from torch import nn

from nas.data import Task
from nas.seeds import seeded
from nas.training.optimizer import optimizer_of, schedule_of
from nas.training.recipe import Recipe
from tests.nas.training.training_runs import RECIPE, train

CPU = torch.device("cpu")


def rates(steps: int, **settings: Any) -> list[float]:
    """The learning rate of each step, with a peak of 1."""
    recipe = Recipe(**settings)
    optimizer = optimizer_of(recipe, [nn.Parameter(torch.zeros(1))], 1.0, CPU)
    schedule, found = schedule_of(recipe, optimizer, 1.0, steps), list[float]()
    for _ in range(steps):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return found


def test_schedules_fall_from_the_peak_and_warm_up_before() -> None:
    cosine = rates(100, schedule="cosine")
    assert cosine[0] == 1.0
    assert cosine == sorted(cosine, reverse=True)
    assert cosine[50] == pytest.approx(0.5)
    assert cosine[-1] < 0.001
    step = rates(100, schedule="step")
    assert [step[at] for at in (0, 49, 50, 74, 75, 99)] == pytest.approx(
        [1.0, 1.0, 0.1, 0.1, 0.01, 0.01]
    )
    warm = rates(100, schedule="cosine", warm_up=0.1)
    assert warm[:11] == sorted(warm[:11])
    assert warm[0] < 0.1
    assert max(warm) == warm[10] == 1.0
    one_cycle = rates(100)
    assert one_cycle[0] == pytest.approx(0.04)
    assert one_cycle.index(max(one_cycle)) in (29, 30)


@pytest.mark.parametrize("name", ["sgd", "rmsprop"])
def test_networks_learn_by_each_optimizer(tiny_task: Task, name: Any) -> None:
    recipe = Recipe(batch_size=16, lr=0.01, optimizer=name, schedule="cosine")
    with seeded(0):
        model = nn.Sequential(nn.Flatten(), nn.Linear(16, 3))
    history = train(model, tiny_task, epochs=12, recipe=recipe)
    assert history[-1].loss < 0.8 * history[0].loss
    with seeded(0):
        other = nn.Sequential(nn.Flatten(), nn.Linear(16, 3))
    assert train(other, tiny_task, epochs=12, recipe=RECIPE) != history


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"optimizer": "adam"}, "the optimizer must be one of"),
        ({"schedule": "linear"}, "the schedule must be one of"),
        ({"momentum": 1.0}, "momentum must be 0 or more and below 1, but got 1.0"),
        ({"schedule": "step", "warm_up": -0.1}, "warm_up must be 0 or more and below 1"),
        ({"warm_up": 0.1}, "with the schedule one_cycle, which rises by itself"),
        ({"focal": -1.0}, "focal must be finite and not negative"),
        ({"alpha": 1.1}, "alpha must be in 0 … 1"),
        ({"temperature": 0.0}, "the temperature must be finite and above 0"),
    ],
)
def test_settings_out_of_range_are_refused(settings: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Recipe(**settings)
