from typing import Any

import pytest
import torch
from torch import nn

from compressors import allocate, compress_to
from compressors.allocation import compress_to as module
from compressors.allocation.allocate import Allocation
from nas.compress import settings_of
from nas.data import Task
from nas.packed import pack, unpack
from nas.program import score
from nas.seeds import seeded
from nas.training.fit import accuracy, cross_entropy, fit
from nas.training.recipe import Recipe

RECIPE = Recipe(epochs=6, finetune_epochs=2, batch_size=10, lr=0.01, finetune_lr=0.003)


@pytest.fixture(scope="module")
def trained(tiny_task: Task) -> nn.Module:
    with seeded(0):
        model = nn.Sequential(
            *(nn.Flatten(), nn.Linear(16, 12, bias=False), nn.BatchNorm1d(12)),
            *(nn.ReLU(), nn.Linear(12, 3)),
        )
    shuffle = torch.Generator().manual_seed(0)
    fit(model, tiny_task, RECIPE, epochs=30, lr=0.02, loss=cross_entropy, generator=shuffle)
    return model.eval()


def compressed(model: nn.Module, task: Task, size: int, seed: int = 0, **given: Any) -> Any:
    return compress_to(
        model,
        size_bytes=size,
        images=task.train.inputs,
        generator=torch.Generator().manual_seed(seed),
        recipe=RECIPE,
        **given,
    )


@pytest.mark.parametrize("with_labels", [True, False])
@pytest.mark.parametrize("size", [240, 300])
def test_the_file_is_within_the_budget_and_says_what_the_network_said(
    trained: nn.Module, tiny_task: Task, size: int, with_labels: bool
) -> None:
    labels = tiny_task.train.labels if with_labels else None
    found = compressed(trained, tiny_task, size, labels=labels)
    assert len(found.packed) <= size
    reached = score(unpack(found.packed), tiny_task.test)
    assert reached >= accuracy(trained, tiny_task.test) - 0.1
    assert reached == accuracy(found.model, tiny_task.test)


def test_the_same_order_of_batches_gives_the_same_file(trained: nn.Module, tiny_task: Task) -> None:
    files = [compressed(trained, tiny_task, 260, seed).packed for seed in (0, 0, 1)]
    assert files[0] == files[1] != files[2]


def test_the_original_is_not_changed(trained: nn.Module, tiny_task: Task) -> None:
    before = {name: tensor.clone() for name, tensor in trained.state_dict().items()}
    compressed(trained.train(), tiny_task, 260)
    assert trained.training
    trained.eval()
    assert all(torch.equal(before[name], tensor) for name, tensor in trained.state_dict().items())


def test_a_file_that_is_too_long_after_training_gets_fewer_bits(
    trained: nn.Module, tiny_task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    def generous(model: nn.Module, images: torch.Tensor, **given: Any) -> Allocation:
        return allocate(model, images, **{**given, "size_bytes": 330})

    monkeypatch.setattr(module, "allocate", generous)
    found = compressed(trained, tiny_task, 280, labels=tiny_task.train.labels)
    assert len(found.packed) <= 280
    before, after = (
        {site: design.integer(f"{site}.bits") for site in settings_of(design, "bits")}
        for design in (found.allocation.design, found.design)
    )
    assert sum(after.values()) < sum(before.values())
    assert {name: found.model.get_submodule(name).bits for name in after} == after
    assert settings_of(found.design, "prune") == settings_of(found.allocation.design, "prune")
    assert len(pack(unpack(found.packed))) == len(found.packed)
    assert score(unpack(found.packed), tiny_task.test) >= 0.8


def test_a_budget_below_the_smallest_file_is_refused_before_training(
    trained: nn.Module, tiny_task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "fit", lambda *_, **__: pytest.fail("it was trained"))
    with pytest.raises(ValueError, match="the smallest network of these choices must be"):
        compressed(trained, tiny_task, 50)
