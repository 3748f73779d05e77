"""What needs no GPU of a GPU."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from nas.experiment import Experiment
from nas.training import accelerator
from nas.training.accelerator import check_available, fastest, placed, reproducible
from nas.training.augmentation import Augmentation
from nas.training.captured_step import FEWEST, pays
from nas.training.distil import Distillation
from nas.training.precision import MIXED_PARAMETERS, is_mixed, mixed_precision

CPU, CUDA = torch.device("cpu"), torch.device("cuda", 0)


def test_a_machine_has_what_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accelerator, "available", lambda each: each == "cpu")
    assert fastest() == "cpu"
    with pytest.raises(ValueError, match=r"must be one of this machine, \['cpu'\], but got 'cuda'"):
        check_available("cuda")
    monkeypatch.setattr(accelerator, "available", lambda each: each != "mps")
    assert fastest() == "cuda"
    check_available("cuda")


def test_settings_are_those_of_before_afterwards() -> None:
    deterministic = torch.are_deterministic_algorithms_enabled
    with reproducible(CPU):
        assert not deterministic()
    with reproducible(CUDA):
        assert deterministic()
        assert not torch.backends.cudnn.allow_tf32
    assert not deterministic()
    assert torch.backends.cudnn.allow_tf32


def test_a_network_on_the_processor_keeps_its_gradients_there() -> None:
    layer = nn.Linear(2, 1)
    layer(torch.ones(1, 2)).sum().backward()
    with placed(layer, CPU):
        pass
    assert layer.weight.grad is not None


def test_an_experiment_says_where_it_was_trained(tiny: Callable[..., Experiment]) -> None:
    assert "accelerator" not in tiny().describe()
    assert tiny(accelerator="cuda").describe() == {**tiny().describe(), "accelerator": "cuda"}
    with pytest.raises(ValueError, match=r"one of \['cpu', 'cuda', 'mps'\], but got 'gpu'"):
        tiny(accelerator="gpu")


def test_large_networks_of_floats_are_of_mixed_precision_on_a_gpu() -> None:
    large, small = nn.Linear(1000, MIXED_PARAMETERS // 1000, device="meta"), nn.Linear(2, 2)
    assert [is_mixed(large, CUDA), is_mixed(large, CPU), is_mixed(small, CUDA)] == [
        True,
        False,
        False,
    ]
    with mixed_precision(small, CUDA)():
        assert not torch.is_autocast_enabled("cuda")


def test_short_trainings_are_not_recorded() -> None:
    assert [pays(CUDA, FEWEST), pays(CUDA, FEWEST - 1), pays(CPU, FEWEST)] == [True, False, False]


def test_the_answers_of_a_teacher_go_where_the_student_is() -> None:
    images = torch.rand(6, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    teacher = nn.Sequential(nn.Flatten(), nn.Linear(16, 3))
    shifted = Augmentation(shift=1)
    loss: Any = Distillation(teacher, images, 0.5, 2.0, augmentations=[shifted])
    moved = loss.to(CPU)
    student, labels, index = torch.rand(2, 3), torch.tensor([0, 2]), torch.tensor([1, 4])
    assert moved(student, labels, index) == loss(student, labels, index)
    assert moved.viewed(shifted)[0](student, labels, index) == loss.viewed(shifted)[0](
        student, labels, index
    )
    there = loss.to(torch.device("meta"))
    answers, views = there.viewed(shifted)
    assert {there._soft_labels.device.type, answers._soft_labels.device.type} == {"meta"}
    assert views.moves.device.type == "meta"
    assert loss._soft_labels.device.type == "cpu"
