import dataclasses
from typing import Any

import pytest
import torch
from torch import nn

from nas.data import Task
from nas.seeds import seeded
from nas.training.fit import accuracy
from nas.training.recalibration import recalibrate
from nas.training.shared_weights import SharedWeights, gathered
from nas.training.supernet import Supernet, train_supernet
from tests.nas.training.training_runs import RECIPE


def networks(*widths: int) -> list[nn.Module]:
    with seeded(1):
        return [
            nn.Sequential(
                nn.Flatten(),
                nn.Sequential(nn.Linear(16, width), nn.BatchNorm1d(width), nn.ReLU()),
                nn.Linear(width, 3),
            )
            for width in widths
        ]


def trained(task: Task, *widths: int, seed: int = 0, **settings: Any) -> SharedWeights:
    supernet = dataclasses.replace(Supernet(epochs=10, networks=3), **settings)
    return train_supernet(supernet, networks(*widths), task, RECIPE, seed)


def test_networks_of_every_width_know_the_task_without_training_of_their_own(
    tiny_task: Task,
) -> None:
    shared = trained(tiny_task, 12, 4, 8)
    for network in networks(4, 6, 8, 12):
        shared.give(network)
        recalibrate(network, tiny_task.train.inputs)
        assert accuracy(network, tiny_task.validation) > 0.8


def test_weights_follow_from_the_seed_and_the_settings(tiny_task: Task) -> None:
    def values(**changes: Any) -> torch.Tensor:
        shared = trained(tiny_task, 4, 5, 6, 7, 8, **{"epochs": 2, **changes})
        return torch.cat([each.flatten() for each in shared.tensors.values()])

    once = values()
    assert torch.equal(once, values())
    for change in ({"seed": 1}, {"epochs": 3}, {"lr": 1e-3}, {"networks": 4}):
        assert not torch.equal(once, values(**change))


def test_a_step_trains_the_largest_the_smallest_and_one_that_is_drawn(tiny_task: Task) -> None:
    """Of networks without anything in common, so that each shows whether it was trained."""
    kinds = nn.ReLU, nn.ReLU6, nn.Hardswish, nn.Sigmoid, nn.Tanh
    several = [
        nn.Sequential(nn.Flatten(), nn.Linear(16, width), kind(), nn.Linear(width, 3))
        for width, kind in zip((9, 4, 5, 6, 7), kinds, strict=True)
    ]
    before = gathered(several).tensors
    one_step = dataclasses.replace(RECIPE, batch_size=60)
    supernet = Supernet(epochs=1, networks=3)
    after = train_supernet(supernet, several, tiny_task, one_step, 0).tensors
    names = [
        kind.__name__
        for kind in kinds
        if any(
            not torch.equal(after[key], value)
            for key, value in before.items()
            if f"{kind.__name__}," in key
        )
    ]
    assert len(names) == 3
    assert {"ReLU", "ReLU6"} < set(names)


@pytest.mark.parametrize("widths", [(4,), (4, 8)])
def test_a_small_space_has_fewer_networks_than_a_step_would_train(
    tiny_task: Task, widths: tuple[int, ...]
) -> None:
    before = gathered(networks(*widths)).tensors
    after = trained(tiny_task, *widths, epochs=1).tensors
    assert not any(torch.equal(after[key], value) for key, value in before.items())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"epochs": 0}, "at least 1 epoch, but got 0"),
        ({"networks": 2}, "3 networks or more, .* but got 2 of 64"),
        ({"designs": 3}, "no more than there are designs, but got 4 of 3"),
        ({"lr": 0.0}, "must be positive and finite, but got 0.0"),
        ({"lr": float("nan")}, "must be positive and finite, but got nan"),
        ({"lr": float("inf")}, "must be positive and finite, but got inf"),
    ],
)
def test_bad_settings_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Supernet(**settings)


def test_a_supernet_of_no_networks_is_refused(tiny_task: Task) -> None:
    with pytest.raises(ValueError, match="must have networks, but got none"):
        trained(tiny_task)
