from functools import partial

import pytest
import torch
from torch import Tensor, nn

from compressors.schedules import cubic
from compressors.sparsity import sparsify
from nas.data import Task
from nas.seeds import seeded
from nas.training.averaging import WeightAverage
from nas.training.fit import accuracy, cross_entropy
from nas.training.recipe import Recipe
from tests.nas.training.training_runs import train

AVERAGED = Recipe(batch_size=16, lr=0.05, ema=0.9)


def network() -> nn.Module:
    with seeded(0):
        return nn.Sequential(
            nn.Flatten(), nn.Linear(16, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3)
        )


def test_the_average_is_that_of_the_formula() -> None:
    model, decay = nn.Linear(1, 1, bias=False), 0.8
    average = WeightAverage(model, decay)
    values = [3.0, -1.0, 2.0, 10.0]
    for value in values:
        nn.init.constant_(model.weight, value)
        average.update()
    weights = [decay ** (3 - step) for step in range(4)]
    expected = sum(w * v for w, v in zip(weights, values, strict=True)) / sum(weights)
    average.swap_in()
    average.swap_in()
    assert model.weight.item() == pytest.approx(expected)
    average.swap_out()
    assert model.weight.item() == 10.0


def test_statistics_of_batch_normalization_are_averaged_with_the_weights() -> None:
    norm = nn.BatchNorm1d(1)
    average = WeightAverage(norm, 0.5)
    for mean, batches in ((1.0, 1), (4.0, 2)):
        norm.running_mean.fill_(mean)  # type: ignore[union-attr]
        norm.num_batches_tracked.fill_(batches)  # type: ignore[union-attr]
        average.update()
    average.swap_in()
    assert norm.running_mean.item() == pytest.approx(3.0)  # type: ignore[union-attr]
    assert norm.num_batches_tracked == 2


def test_training_gives_the_average_of_its_steps(tiny_task: Task) -> None:
    seen: list[Tensor] = []
    averaged, plain = network(), network()

    def loss(said: Tensor, labels: Tensor, index: Tensor) -> Tensor:
        seen.append(averaged.state_dict()["4.weight"].clone())
        return cross_entropy(said, labels, index)

    history = train(averaged, tiny_task, epochs=3, recipe=AVERAGED, loss=loss)
    train(plain, tiny_task, epochs=3, recipe=Recipe(batch_size=16, lr=0.05))
    # What training does is the same; the weights before each step but the first were after another.
    steps = [*seen[1:], plain.state_dict()["4.weight"]]
    weights = torch.tensor([0.9 ** (11 - step) for step in range(12)])
    expected = (torch.stack(steps) * weights[:, None, None]).sum(0) / weights.sum()
    assert torch.allclose(averaged.state_dict()["4.weight"], expected, atol=1e-6)
    assert history[-1].accuracy == accuracy(averaged, tiny_task.validation)


def test_removed_weights_are_zero_in_the_average(tiny_task: Task) -> None:
    sparse = sparsify(network(), {"1": 0.75}, tiny_task.example, schedule=partial(cubic, end=1.0))
    train(sparse, tiny_task, epochs=3, recipe=AVERAGED)
    weight = sparse.get_parameter("1.weight")
    assert torch.eq(weight, 0).sum() == 96


@pytest.mark.parametrize("decay", [-0.1, 1.0, float("nan")])
def test_a_decay_out_of_range_is_refused(decay: float) -> None:
    with pytest.raises(ValueError, match="0 or more and below 1, but got"):
        Recipe(ema=decay)
