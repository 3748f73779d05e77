from dataclasses import replace

import pytest
import torch
from torch import nn

from benchmarks.trained.baselines import allocated, design_trained, pruned, random_search, uniform
from benchmarks.trained.methods import METHODS, Subject
from benchmarks.trained.table import Measured, Table, heading
from nas.data import Task
from nas.packed import unpack
from nas.program import score
from nas.seeds import seeded
from nas.training.fit import cross_entropy, fit
from nas.training.recipe import Recipe

RECIPE = Recipe(epochs=12, finetune_epochs=6, batch_size=10, lr=0.02, finetune_lr=0.02)


@pytest.fixture(scope="module")
def model(tiny_task: Task) -> nn.Module:
    with seeded(0):
        layers = [nn.Conv2d(1, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU()]
        model = nn.Sequential(*layers, nn.Flatten(), nn.Linear(128, 3))
    shuffle = torch.Generator().manual_seed(0)
    fit(model, tiny_task, RECIPE, epochs=12, lr=0.02, loss=cross_entropy, generator=shuffle)
    return model.eval()


@pytest.fixture
def subject(model: nn.Module, tiny_task: Task) -> Subject:
    return Subject(
        model=model,
        task=tiny_task,
        recipe=RECIPE,
        sizes=(450,),
        bits=(4, 2),
        by_hand=((0.5, 3),),
        trials=4,
        seed=0,
    )


def test_trained_files_keep_the_accuracy_and_leave_the_network_alone(
    model: nn.Module, tiny_task: Task
) -> None:
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    four, two = (uniform(model, tiny_task, RECIPE, bits, 0) for bits in (4, 2))
    half = pruned(model, tiny_task, RECIPE, 0.5, 4, 0)
    assert len(two) < len(four)
    assert len(half) < len(four)
    assert min(score(unpack(file), tiny_task.test) for file in (four, two, half)) > 0.8
    assert unpack(half).tensors[1].shape[0] <= 4
    assert uniform(model, tiny_task, RECIPE, 2, 0) == two
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


def test_allocated_bits_are_within_the_budget(model: nn.Module, tiny_task: Task) -> None:
    file = allocated(model, tiny_task, 450)
    assert 250 < len(file) <= 450


@pytest.mark.slow
def test_random_designs_are_within_the_budget_and_of_their_seed(
    model: nn.Module, tiny_task: Task
) -> None:
    found = random_search(model, tiny_task, 450, trials=3, seed=0)
    assert len(found.packed) <= 450
    assert found.trials == 3 <= found.drawn
    assert random_search(model, tiny_task, 450, trials=3, seed=0) == found
    assert random_search(model, tiny_task, 450, trials=3, seed=1).design != found.design
    # More trials begin with the same designs.
    assert random_search(model, tiny_task, 450, trials=5, seed=0).divergence <= found.divergence
    file = design_trained(model, tiny_task, RECIPE, found.design, 0)
    assert score(unpack(file), tiny_task.test) >= score(unpack(found.packed), tiny_task.test)
    with pytest.raises(ValueError, match="a file of at most 20 bytes, but 60 designs have none"):
        random_search(model, tiny_task, 20, trials=1, seed=0)


def test_all_methods_make_rows(subject: Subject) -> None:
    table = Table(subject.task, 0.9, 60.0)
    columns = heading().splitlines()[0].count("|")
    for name, method in METHODS.items():
        rows = [table.row(row, make) for row, make in method(subject)]
        assert rows, name
        assert {row.count("|") for row in rows} == {columns}
        if name != "others":
            assert all(", not trained:" not in row and "must" not in row for row in rows), rows


def test_a_row_says_what_is_lost_or_why_there_is_none(tiny_task: Task) -> None:
    table = Table(tiny_task, 0.9, 60.0)
    assert table.row("a tool", lambda: Measured(1_234, 0.85)).startswith(
        "| a tool | 1,234 | 0.8500 | +5.00 | 0.00 | 0.00 |"
    )

    def refused() -> bytes:
        raise ValueError("a file must be longer")

    assert table.row("a tool", refused).startswith("| a tool: a file must be longer |  |")
    assert table.floats("floats", 10, 120.0) == "| floats | 40 | 0.9000 |  | 2.00 | 0.50 |"


@pytest.mark.slow
def test_a_budget_that_nothing_meets_is_a_row_too(subject: Subject) -> None:
    table = Table(subject.task, 0.9, 60.0)
    subject = replace(subject, sizes=(20,), trials=1)
    for name in ("allocated", "random", "compress_to"):
        (row,) = [table.row(row, make) for row, make in METHODS[name](subject)]
        assert "20 bytes" in row
        assert "must" in row
