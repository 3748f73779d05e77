import math
from functools import partial

import pytest
import torch
from torch import Tensor, nn

from compressors.criteria import L2, random, taylor
from compressors.pruning import prune, widths
from compressors.rounds import prune_in_rounds
from compressors.schedules import cubic, ratios
from nas.data import Task
from nas.seeds import seeded
from nas.training.fit import accuracy, cross_entropy, fit
from nas.training.recipe import Recipe

IMAGES = torch.randn(4, 1, 4, 4, generator=torch.Generator().manual_seed(0))


def network() -> nn.Sequential:
    with seeded(0):
        return nn.Sequential(
            nn.Conv2d(1, 9, 3),
            nn.ReLU(),
            nn.Conv2d(9, 7, 1),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(28, 3),
        )


@pytest.mark.parametrize(
    "shares", [[0.2, 0.5, 0.7], [0.5, 0.5], [0.0, 0.34], [0.1, 0.3, 0.5, 0.7, 0.9], [0.75]]
)
def test_a_ratio_is_the_share_of_the_original_channels(shares: list[float]) -> None:
    seen: list[dict[str, int]] = []
    pruned = prune_in_rounds(network(), shares, IMAGES, lambda model: seen.append(widths(model)))
    expected = [
        {"0": 9 - math.floor(share * 9), "2": 7 - math.floor(share * 7), "5": 3} for share in shares
    ]
    assert seen == expected
    assert widths(pruned) == expected[-1]


def test_importances_are_computed_anew_in_each_round() -> None:
    def favor(model: nn.Module) -> None:
        """Gives the channel with the smallest norm the largest one, where it is written and read."""
        made, read = model.get_parameter("0.weight"), model.get_parameter("2.weight")
        with torch.no_grad():
            least = (made.square().sum((1, 2, 3)) + read.square().sum((0, 2, 3))).argmin()
            made[least] *= 100.0

    model = network()
    shares = [2.01 / 9, 4.01 / 9]
    once = prune(model, {"0": shares[-1]}, IMAGES).get_parameter("0.bias").tolist()
    rounds = (
        prune_in_rounds(model, shares, IMAGES, favor, sites=("0",)).get_parameter("0.bias").tolist()
    )
    assert len(once) == len(rounds) == 5
    assert once != rounds
    assert widths(model)["0"] == 9


def test_rounds_go_by_the_criterion() -> None:
    found = [
        prune_in_rounds(network(), [0.5], IMAGES, lambda model: None, criterion=criterion)
        .get_parameter("0.bias")
        .tolist()
        for criterion in (L2, random(0), random(1))
    ]
    assert found[0] != found[1] != found[2]


def test_rounds_with_training_and_taylor(tiny_task: Task) -> None:
    def loss_on(inputs: Tensor, labels: Tensor, model: nn.Module) -> Tensor:
        return nn.functional.cross_entropy(model(inputs), labels)

    recipe = Recipe(batch_size=10)
    trained = partial(
        fit,
        task=tiny_task,
        recipe=recipe,
        lr=0.01,
        loss=cross_entropy,
        generator=torch.Generator().manual_seed(0),
    )
    model = network()
    trained(model, epochs=10)
    criterion = taylor(partial(loss_on, tiny_task.train.inputs, tiny_task.train.labels))
    pruned = prune_in_rounds(
        model,
        ratios(cubic, 0.6, 3),
        tiny_task.train.inputs,
        partial(trained, epochs=3),
        criterion=criterion,
    )
    assert widths(pruned) == {"0": 4, "2": 3, "5": 3}
    assert accuracy(pruned, tiny_task.validation) > 0.9


@pytest.mark.parametrize("shares", [[], [0.5, 0.3]])
def test_rounds_must_be_there_and_not_fall(shares: list[float]) -> None:
    with pytest.raises(
        ValueError, match="at least one ratio, and none below the one before, but got"
    ):
        prune_in_rounds(network(), shares, IMAGES, lambda model: None)
    with pytest.raises(ValueError, match=r"at least 0 and below 1, but got 1.0"):
        prune_in_rounds(network(), [0.5, 1.0], IMAGES, lambda model: None)
