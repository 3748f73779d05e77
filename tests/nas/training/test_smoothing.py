import pytest
import torch
from torch import Tensor, nn

from nas.data import Task
from nas.training.fit import cross_entropy
from nas.training.recipe import Recipe
from nas.training.smoothing import smoothed
from tests.nas.training.training_runs import train


def test_the_loss_is_that_of_torch() -> None:
    said, labels = torch.randn(5, 4), torch.tensor([0, 3, 1, 1, 2])
    soft = cross_entropy(said, smoothed(labels, 4, 0.3), torch.arange(5))
    expected = nn.functional.cross_entropy(said, labels, label_smoothing=0.3)
    assert soft.item() == pytest.approx(expected.item(), rel=1e-6)


def test_without_a_share_labels_are_as_they_are() -> None:
    labels = torch.tensor([1, 0])
    assert smoothed(labels, 3, 0.0) is labels


def test_training_smooths_the_labels(tiny_task: Task) -> None:
    seen: list[Tensor] = []

    def loss(said: Tensor, labels: Tensor, index: Tensor) -> Tensor:
        seen.append(labels)
        return cross_entropy(said, labels, index)

    recipe = Recipe(batch_size=60, label_smoothing=0.3)
    train(
        nn.Sequential(nn.Flatten(), nn.Linear(16, 3)), tiny_task, epochs=1, recipe=recipe, loss=loss
    )
    assert sorted(set(seen[0].flatten().tolist())) == pytest.approx([0.1, 0.8])


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_a_share_out_of_range_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match="label smoothing must be in 0 … 1, but got"):
        Recipe(label_smoothing=share)
