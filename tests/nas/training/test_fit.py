import random
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nas.data import Split, Task
from nas.objective import Curve
from nas.seeds import seeded
from nas.training.fit import DivergedError, Loss, accuracy, cross_entropy, fit, logits
from nas.training.recipe import Recipe

RECIPE = Recipe(batch_size=16, lr=0.02)


def network(seed: int = 0) -> nn.Module:
    with seeded(seed):
        return nn.Sequential(
            nn.Flatten(), nn.Linear(16, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3)
        )


def shuffle(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def train(
    model: nn.Module,
    task: Task,
    *,
    epochs: int = 2,
    recipe: Recipe = RECIPE,
    loss: Loss = cross_entropy,
    seed: int = 0,
) -> Any:
    return fit(model, task, recipe, epochs=epochs, lr=recipe.lr, loss=loss, generator=shuffle(seed))


def same(first: nn.Module, second: nn.Module) -> bool:
    one, other = first.state_dict(), second.state_dict()
    return all(torch.equal(one[name], other[name]) for name in one)


def numbered(count: int) -> Task:
    """Samples that say which they are."""
    inputs = torch.arange(float(count))[:, None] * torch.tensor([1.0, 0.0])
    split = Split(inputs, torch.arange(count) % 2)
    return Task(name="numbered", train=split, validation=split, test=split, classes=2)


class Passing(nn.Module):
    """Gives its inputs as logits, and has something to train."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(3))

    def forward(self, x: Tensor) -> Tensor:
        return x + 0.0 * self.weight.sum()


class Poison:
    def __getattr__(self, name: str) -> object:
        raise AssertionError("the test split was read")


def test_one_seed_gives_bitwise_equal_weights_and_history(tiny_task: Task) -> None:
    first, second = network(), network()
    assert train(first, tiny_task) == train(second, tiny_task)
    assert same(first, second)


def test_another_seed_gives_another_order_of_samples(tiny_task: Task) -> None:
    first, second = network(), network()
    assert train(first, tiny_task, seed=0) != train(second, tiny_task, seed=1)
    assert not same(first, second)


def test_training_learns(tiny_task: Task) -> None:
    model = network()
    history = train(model, tiny_task, epochs=8)
    assert history[-1].loss < 0.5 * history[0].loss
    assert accuracy(model, tiny_task.validation) > 0.9


def test_training_leaves_the_global_generators_alone(tiny_task: Task) -> None:
    model = network()
    before = random.getstate(), str(np.random.get_state()), torch.get_rng_state()  # noqa: NPY002
    train(model, tiny_task)
    assert random.getstate() == before[0]
    assert str(np.random.get_state()) == before[1]  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), before[2])


def test_training_reads_no_test_data(tiny_task: Task) -> None:
    task = replace(tiny_task)
    object.__setattr__(task, "test", Poison())
    train(network(), task)
    with pytest.raises(AssertionError, match="the test split was read"):
        accuracy(network(), task.test)


def test_validation_data_change_no_weights(tiny_task: Task) -> None:
    first, second = network(), network()
    train(first, tiny_task)
    train(
        second,
        replace(tiny_task, validation=Split(5.0 + tiny_task.test.inputs, tiny_task.test.labels)),
    )
    assert same(first, second)


def test_no_epochs_change_nothing(tiny_task: Task) -> None:
    model, generator = network(), shuffle()
    assert (
        fit(model, tiny_task, RECIPE, epochs=0, lr=1.0, loss=cross_entropy, generator=generator)
        == ()
    )
    assert same(model, network())
    assert torch.equal(generator.get_state(), shuffle().get_state())


@pytest.mark.parametrize("end", [0, 2, 4])
def test_training_can_be_stopped_between_two_epochs(tiny_task: Task, end: int) -> None:
    shown: list[Curve] = []

    def stop(reached: Curve) -> bool:
        shown.append(tuple(reached))
        return len(reached) == end

    full = train(network(), tiny_task, epochs=4)
    history = fit(
        network(),
        tiny_task,
        RECIPE,
        epochs=4,
        lr=RECIPE.lr,
        loss=cross_entropy,
        generator=shuffle(),
        stop=stop,
    )
    assert history == full[:end], "the schedule is that of all four"
    assert shown == [full[:epochs] for epochs in range(min(end, 3) + 1)], (
        "after the last there is nothing to give up"
    )


@pytest.mark.parametrize("wrong", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_stops_the_training(tiny_task: Task, wrong: float) -> None:
    calls = 0

    def loss(said: Tensor, labels: Tensor, index: Tensor) -> Tensor:
        nonlocal calls
        calls += 1
        return cross_entropy(said, labels, index) * (wrong if calls == 6 else 1.0)

    # Four batches an epoch: the sixth is in the second one.
    with pytest.raises(DivergedError, match=r"must stay finite, but got (nan|inf) in epoch 2 of 3"):
        train(network(), tiny_task, epochs=3, loss=loss)


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


def test_the_history_has_the_validation_accuracy_after_each_epoch(tiny_task: Task) -> None:
    with seeded(1):
        model = nn.Sequential(nn.Flatten(), nn.Linear(16, 3))
    seen: list[float] = []

    def loss(said: Tensor, labels: Tensor, index: Tensor) -> Tensor:
        # Before the first step of an epoch the weights are those that the last one ended with.
        seen.append(accuracy(model, tiny_task.validation))
        return cross_entropy(said, labels, index)

    history = train(model, tiny_task, epochs=3, loss=loss)
    assert [epoch.accuracy for epoch in history] == [
        seen[4],
        seen[8],
        accuracy(model, tiny_task.validation),
    ]
    assert len(set(seen)) > 3


def test_the_learning_rate_rises_to_its_peak_and_falls_to_nearly_0(
    tiny_task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    rates: list[float] = []

    class Recording(torch.optim.AdamW):
        def step(self, closure: Any = None) -> Any:
            rates.append(self.param_groups[0]["lr"])
            return super().step(closure)

    monkeypatch.setattr(torch.optim, "AdamW", Recording)
    model = network()
    weight = next(model.parameters()).detach().clone()

    def loss(said: Tensor, labels: Tensor, index: Tensor) -> Tensor:
        return 0.0 * said.sum()

    train(
        model,
        tiny_task,
        epochs=10,
        loss=loss,
        recipe=Recipe(batch_size=16, lr=0.4, weight_decay=0.5),
    )
    assert len(rates) == 40
    peak = rates.index(max(rates))
    assert rates[peak] == pytest.approx(0.4, rel=0.01)
    assert rates == sorted(rates[:peak]) + sorted(rates[peak:], reverse=True)
    assert rates[0] < 0.05 * 0.4
    assert rates[-1] < 0.01 * 0.4
    # Without a gradient the weights only decay, by the rate of each step.
    for rate in rates:
        weight *= 1.0 - 0.5 * rate
    assert torch.allclose(next(model.parameters()), weight)


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


@pytest.mark.parametrize(
    ("recipe", "epochs", "split"),
    [
        (Recipe(epochs=20, finetune_epochs=10), None, (20, 10)),
        (Recipe(epochs=20, finetune_epochs=10), 30, (20, 10)),
        (Recipe(epochs=20, finetune_epochs=10), 3, (2, 1)),
        (Recipe(epochs=20, finetune_epochs=10), 10, (7, 3)),
        (Recipe(epochs=20, finetune_epochs=10), 1, (1, 0)),
        (Recipe(epochs=20, finetune_epochs=10), 2.4, (2, 0)),
        (Recipe(epochs=20, finetune_epochs=10), 90, (60, 30)),
        (Recipe(epochs=5, finetune_epochs=0), 3, (3, 0)),
        (Recipe(epochs=0, finetune_epochs=5), 3, (0, 3)),
    ],
)
def test_epochs_are_split_in_the_proportion_of_the_recipe(
    recipe: Recipe, epochs: float | None, split: tuple[int, int]
) -> None:
    assert recipe.phases(epochs) == split


@pytest.mark.parametrize("epochs", [0, 0.9, -1])
def test_less_than_one_epoch_is_refused(epochs: float) -> None:
    with pytest.raises(ValueError, match=f"at least 1 epoch, but got {epochs}"):
        Recipe().phases(epochs)


def test_a_recipe_without_epochs_cannot_be_given_any() -> None:
    assert Recipe(epochs=0, finetune_epochs=0).phases(None) == (0, 0)
    with pytest.raises(
        ValueError, match="a recipe must have epochs to be trained for 3 of them, but has none"
    ):
        Recipe(epochs=0, finetune_epochs=0).phases(3)


@pytest.mark.parametrize(("epochs", "finetune"), [(-1, 5), (5, -1)])
def test_negative_epochs_are_refused(epochs: int, finetune: int) -> None:
    with pytest.raises(
        ValueError, match=f"must have epochs that are not negative, but got {epochs} and {finetune}"
    ):
        Recipe(epochs=epochs, finetune_epochs=finetune)


@pytest.mark.parametrize(
    "values",
    [
        {"batch_size": 1},
        {"batch_size": 0},
        {"lr": 0.0},
        {"lr": float("nan")},
        {"finetune_lr": -1.0},
        {"weight_decay": -0.1},
    ],
)
def test_a_recipe_that_cannot_train_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(
        ValueError,
        match="batch size must be 2 or more, learning rates positive and weight decay not negative",
    ):
        Recipe(**values)


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
