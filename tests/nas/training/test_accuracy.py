import pytest
import torch
from torch import nn

from nas.data import Split
from nas.seeds import seeded
from nas.training.fit import IMAGE_BATCH, accuracy, logits
from tests.nas.training.training_runs import numbered


def test_accuracy_is_the_share_of_correct_predictions() -> None:
    said = torch.tensor(
        [[0.1, 0.9, 0.0], [2.0, 1.0, 0.0], [-3.0, -2.0, -1.0], [0.0, 0.0, 1.0], [0.0, 5.0, 4.0]]
    )
    labels = torch.tensor([1, 0, 2, 0, 2])
    assert accuracy(nn.Identity(), Split(said, labels)) == 3 / 5
    assert accuracy(nn.Identity(), Split(said, torch.tensor([0, 1, 1, 0, 0]))) == 0.0
    assert accuracy(nn.Identity(), Split(said, torch.tensor([1, 0, 2, 2, 1]))) == 1.0


def test_accuracy_counts_over_several_batches() -> None:
    labels = torch.arange(777) % 5
    said = nn.functional.one_hot(labels, 5).float()
    wrong = torch.arange(777) % 7 == 0
    said[wrong] = -said[wrong]
    assert accuracy(nn.Identity(), Split(said, labels)) == (777 - 111) / 777


def test_logits_are_those_of_evaluation_mode_in_order() -> None:
    model = nn.Sequential(nn.Dropout(0.5), nn.BatchNorm1d(2)).train()
    said = logits(model, numbered(600).train.inputs)
    assert not model.training
    assert torch.allclose(said[:, 0], torch.arange(600.0), rtol=1e-4)


@pytest.mark.parametrize("count", [1, 360, 600])
def test_logits_of_images_are_those_of_larger_batches_to_the_bit(count: int) -> None:
    with seeded(0):
        images = torch.rand(count, 1, 8, 8)
        model = nn.Sequential(
            nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 3, groups=8)
        )
    assert torch.equal(logits(model, images, IMAGE_BATCH), logits(model, images))
