"""What a GPU gives, wherever there is one."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from compressors import Quantization, quantize
from nas.executors import InProcess, LocalProcesses
from nas.lowering import lower, snapped
from nas.objective import Status
from nas.packed import pack, unpack
from nas.program.interpreter import Interpreter, logits
from nas.program.rounding import ROUNDINGS
from nas.runs.run import run
from nas.runs.supernet import trained_weights
from nas.seeds import seeded
from nas.strategy import Proposal
from nas.training.augmentation import Augmentation
from nas.training.distil import Distillation
from nas.training.fit import Loss, cross_entropy, fit
from nas.training.recipe import Recipe
from nas.training.supernet import Supernet
from tests.cuda.networks import RECIPE, TASK, experiment, residual, source

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU of CUDA"),
]


def trained(
    model: nn.Module, recipe: Recipe = RECIPE, loss: Loss = cross_entropy, captured: bool = True
) -> tuple[Any, dict[str, torch.Tensor]]:
    shuffle = torch.Generator().manual_seed(0)
    with seeded(0):
        history = fit(
            model,
            TASK.to("cuda"),
            recipe,
            epochs=2,
            lr=0.01,
            loss=loss,
            generator=shuffle,
            captured=captured,
        )
    return history, model.state_dict()


def quantized(activations: Any = "widest", weights: Any = "lsq") -> nn.Module:
    method = Quantization(activations=activations, weights=weights)
    return quantize(residual(), 4, TASK.train.inputs[:64], method)


def same(
    one: tuple[Any, dict[str, torch.Tensor]], other: tuple[Any, dict[str, torch.Tensor]]
) -> bool:
    return one[0] == other[0] and all(torch.equal(one[1][name], other[1][name]) for name in one[1])


def test_a_network_comes_back() -> None:
    history, state = trained(residual())
    assert {each.device.type for each in state.values()} == {"cpu"}
    assert history[-1].accuracy is not None
    assert history[-1].accuracy > 0.5


@pytest.mark.parametrize("make", [residual, quantized])
def test_a_training_twice_gives_the_same_network(make: Any) -> None:
    assert same(trained(make()), trained(make()))


@pytest.mark.parametrize("activations", ["widest", "average", "pact", "lsq"])
def test_recorded_steps_change_nothing(activations: str) -> None:
    one, other = (trained(quantized(activations), captured=captured) for captured in (True, False))
    assert same(one, other)


def test_recorded_steps_drop_what_others_drop() -> None:
    one, again, other = (
        trained(residual(dropout=0.2), captured=captured) for captured in (True, True, False)
    )
    assert same(one, again)
    assert same(one, other)


def test_recorded_steps_follow_schedule_average_smoothing_and_augmentation() -> None:
    recipe = replace(
        RECIPE,
        ema=0.9,
        label_smoothing=0.1,
        augmentation=Augmentation(shift=1, flip=True, cutout=2),
    )
    one, other = (trained(residual(), recipe, captured=captured) for captured in (True, False))
    assert same(one, other)


def test_recorded_steps_learn_from_a_teacher() -> None:
    recipe = replace(RECIPE, augmentation=Augmentation(shift=1))
    teacher = residual(1)
    loss = Distillation(
        teacher, TASK.train.inputs.to("cuda"), 0.5, 4.0, augmentations=[recipe.augmentation]
    )
    one, other = (trained(residual(), recipe, loss, captured) for captured in (True, False))
    assert same(one, other)
    assert {each.device.type for each in teacher.parameters()} == {"cpu"}


class Counting(nn.Module):
    """Reads a number from the GPU, which no recording can."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = residual()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.inner(x) * (1.0 if float(x.mean()) > 0 else 0.5)
        return result


def test_what_cannot_be_recorded_is_run_as_it_is() -> None:
    one, other = (trained(Counting(), captured=captured) for captured in (True, False))
    assert same(one, other)


def test_a_file_gives_the_same_logits_on_both() -> None:
    model = quantized()
    trained(model)
    program = unpack(pack(lower(snapped(model), TASK.train.inputs[:64])))
    inputs = TASK.test.inputs
    assert (logits(program, inputs) == logits(program, inputs.to("cuda"))).all()
    for rounding in ROUNDINGS:
        one = Interpreter(program, rounding)(inputs)
        other = Interpreter(program, rounding, "cuda")(inputs.to("cuda"))
        assert torch.equal(one, other.cpu())


def test_a_candidate_twice_gives_the_same_file() -> None:
    found = []
    for _ in range(2):
        given = replace(experiment(), teacher=None)
        choices = given.space.choices
        genotype = choices.canonical(tuple(0 for _ in choices))
        evaluation, candidate = given.evaluator(cross_entropy)(0, Proposal(genotype))
        assert evaluation.status is Status.OK, evaluation.reason
        assert candidate is not None
        found.append(candidate.packed)
    assert found[0] == found[1]


def test_a_supernet_twice_gives_the_same_weights_and_they_rest_on_the_processor() -> None:
    given = replace(experiment(), teacher=None, supernet=Supernet(epochs=2, designs=8))
    facts = given.evaluator(cross_entropy).facts
    one, other = (trained_weights(given, facts) for _ in range(2))
    assert {each.device.type for each in one.tensors.values()} == {"cpu"}
    assert all(torch.equal(each, other.tensors[key]) for key, each in one.tensors.items())
    rng = np.random.default_rng(0)
    proposal = Proposal(given.space.choices.sample(rng))
    evaluation, _ = given.evaluator(cross_entropy, shared=one)(0, proposal)
    assert evaluation.status is Status.OK, evaluation.reason


def _results(out: Path) -> list[Any]:
    lines = [json.loads(line) for line in (out / "journal.jsonl").read_text().splitlines()]
    return [
        {name: value for name, value in line.items() if name in ("metrics", "history", "status")}
        for line in lines
    ]


def test_a_search_is_the_same_with_any_workers(tmp_path: Path) -> None:
    for name, executor in (("here", InProcess()), ("there", LocalProcesses(2))):
        result = run(experiment(), tmp_path / name, executor=executor, source=source)
        assert {each.status for each in result.evaluations} == {Status.OK}
        assert result.test_accuracy is not None
    files = [sorted((tmp_path / name / "packed").iterdir()) for name in ("here", "there")]
    assert [each.read_bytes() for each in files[0]] == [each.read_bytes() for each in files[1]]
