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
from nas.training.fit import DivergedError, accuracy, cross_entropy, fit
from nas.training.recipe import Recipe
from tests.nas.training.training_runs import RECIPE, shuffle, train


def network(seed: int = 0) -> nn.Module:
    with seeded(seed):
        return nn.Sequential(
            nn.Flatten(), nn.Linear(16, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3)
        )


def same(first: nn.Module, second: nn.Module) -> bool:
    one, other = first.state_dict(), second.state_dict()
    return all(torch.equal(one[name], other[name]) for name in one)


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


@pytest.mark.parametrize(
    ("every", "end", "measured"), [(2, 5, [2, 4, 5]), (2, 4, [2, 4]), (9, 5, [5]), (2, 3, [2, 3])]
)
def test_validation_may_be_left_out_but_not_after_the_last_epoch(
    tiny_task: Task, every: int, end: int, measured: list[int]
) -> None:
    models = network(), network()
    full = train(models[0], tiny_task, epochs=5)
    history = fit(
        models[1],
        tiny_task,
        replace(RECIPE, validate_every=every),
        epochs=5,
        lr=RECIPE.lr,
        loss=cross_entropy,
        generator=shuffle(),
        stop=lambda reached: len(reached) == end,
    )
    assert history == tuple(
        replace(epoch, accuracy=epoch.accuracy if number in measured else None)
        for number, epoch in enumerate(full[:end], 1)
    )
    assert same(*models) == (end == 5)
