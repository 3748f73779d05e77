import pytest
import torch
from torch import Tensor, nn

from nas.training.fit import cross_entropy
from nas.training.recipe import Recipe
from tests.nas.training.training_runs import numbered, train


class Passing(nn.Module):
    """Gives its inputs as logits, and has something to train."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(3))

    def forward(self, x: Tensor) -> Tensor:
        return x + 0.0 * self.weight.sum()


@pytest.mark.parametrize("size", [2, 3, 4, 8, 64])
@pytest.mark.parametrize("count", [2, 3, 4, 5, 7, 9, 17, 65])
def test_every_epoch_has_each_sample_once_and_no_batch_of_one(count: int, size: int) -> None:
    batches: list[list[int]] = []

    def loss(said: Tensor, labels: Tensor, index: Tensor) -> Tensor:
        batches.append(index.tolist())
        return cross_entropy(said, labels, index)

    train(Passing(), numbered(count), epochs=2, recipe=Recipe(batch_size=size), loss=loss)
    half = len(batches) // 2
    for epoch in (batches[:half], batches[half:]):
        assert sorted(index for batch in epoch for index in batch) == list(range(count))
    assert min(map(len, batches)) >= 2
    assert max(map(len, batches)) <= max(size, 3)
    assert max(map(len, batches)) - min(map(len, batches)) <= 1


def test_every_epoch_has_an_order_of_its_own() -> None:
    seen: list[int] = []

    def loss(said: Tensor, labels: Tensor, index: Tensor) -> Tensor:
        seen.extend(index.tolist())
        return cross_entropy(said, labels, index)

    train(Passing(), numbered(20), epochs=2, loss=loss)
    assert seen[:20] != seen[20:]
    assert seen[:20] != sorted(seen[:20])


def test_the_loss_gets_the_positions_of_its_samples() -> None:
    task = numbered(20)

    def loss(said: Tensor, labels: Tensor, index: Tensor) -> Tensor:
        assert said[:, 0].tolist() == index.tolist()
        assert torch.equal(labels, task.train.labels[index])
        return cross_entropy(said, labels, index)

    train(Passing(), task, loss=loss)


def test_the_loss_of_an_epoch_is_the_mean_over_its_samples() -> None:
    def loss(said: Tensor, labels: Tensor, index: Tensor) -> Tensor:
        # 5 samples in batches of 3 and 2, of which the larger counts for more.
        return 0.0 * said.sum() + float(len(index))

    (epoch,) = train(Passing(), numbered(5), epochs=1, recipe=Recipe(batch_size=4), loss=loss)
    assert epoch.loss == pytest.approx((3 * 3 + 2 * 2) / 5)


class Recorder(nn.Module):
    """A layer that records the progress after each step, and its weight then."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(3))
        self.progress: list[float] = []
        self.weights: list[float] = []

    def forward(self, x: Tensor) -> Tensor:
        return x + self.weight.sum()

    def after_step(self, progress: float) -> None:
        self.progress.append(progress)
        self.weights.append(self.weight.sum().item())


def test_parts_of_the_network_act_after_every_step() -> None:
    part = Recorder()
    before: list[float] = []

    def loss(said: Tensor, labels: Tensor, index: Tensor) -> Tensor:
        before.append(part.weight.sum().item())
        return said.square().mean()

    train(
        nn.Sequential(part, nn.Identity()),
        numbered(12),
        epochs=2,
        recipe=Recipe(batch_size=4, lr=0.1),
        loss=loss,
    )
    assert part.progress == pytest.approx([1 / 6, 2 / 6, 3 / 6, 4 / 6, 5 / 6, 1.0])
    assert part.progress[-1] == 1.0
    assert part.weights[:-1] == before[1:]
    assert part.weights != before
    train(part, numbered(12), epochs=0)
    assert part.progress[6:] == [1.0]
