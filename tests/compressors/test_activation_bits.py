import doctest
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from compressors import (
    JOINT_COMPRESSORS,
    ActivationBits,
    PostTraining,
    Quantization,
    activation_bits,
    allocate,
    joint_choices,
)
from experiments.compression import residual_network
from nas.compress import compress
from nas.data import digits
from nas.lowering import lower, snapped
from nas.measure.host import run_onnx
from nas.onnx import to_onnx
from nas.packed import pack, unpack
from nas.program import Program, logits
from nas.quantize.learned_quantizers import ActivationMethod
from nas.seeds import generator, seeded
from nas.training.fit import cross_entropy, fit
from nas.training.recipe import Recipe

TASK = digits(generator(0, "digits"))
IMAGES = TASK.train.inputs[:64]


class Joined(nn.Module):
    """A stem, two layers that are summed behind it, and one behind that."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, 4, 3, bias=False), nn.BatchNorm2d(4), nn.ReLU())
        self.left, self.right = nn.Conv2d(4, 6, 3), nn.Conv2d(4, 6, 3)
        self.last, self.head = nn.Sequential(nn.Conv2d(6, 4, 3), nn.ReLU()), nn.Linear(16, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        x = self.last(torch.relu(self.left(x) + self.right(x)))
        return self.head(torch.flatten(x, 1))  # type: ignore[no-any-return]


def joined(design: dict[str, Any], method: Any = None) -> nn.Module:
    with seeded(0):
        model = Joined().eval()
    compressors = method or Quantization(), ActivationBits()
    return compress(model, {"bits": 4, **design}, compressors, IMAGES)


def bits_of(program: Program) -> dict[str, int]:
    """The bits of the result of each operation, by its name."""
    return {
        operation.name: signature.result.bits
        for operation, signature in program.steps
        if not operation.name.startswith(("flatten", "add"))
    }


def test_the_examples_are_correct() -> None:
    assert doctest.testmod(activation_bits) == (0, 2)


@pytest.mark.parametrize("method", [Quantization(), PostTraining(), Quantization(weights="lsq")])
def test_each_layer_gives_its_bits(method: Any) -> None:
    design = {"stem.activation_bits": 3, "last.0.activation_bits": 5, "left.activation_bits": 4}
    program = lower(snapped(joined(design, method)), IMAGES)
    assert bits_of(program) == {"stem.0": 3, "left": 4, "right": 4, "last.0": 5, "head": 8}
    assert program.tensors[0].bits == 8


def test_the_most_bits_of_what_is_summed_decide_and_inner_sites_win() -> None:
    design = {"activation_bits": 6, "left.activation_bits": 3, "right.activation_bits": 4}
    program = lower(snapped(joined(design)), IMAGES)
    assert bits_of(program) == {"stem.0": 6, "left": 4, "right": 4, "last.0": 6, "head": 6}


@pytest.mark.parametrize("activations", ["widest", "pact", "lsq"])
def test_a_trained_network_its_file_and_onnx_agree(activations: ActivationMethod) -> None:
    design = {"stem.activation_bits": 4, "left.activation_bits": 5, "last.activation_bits": 3}
    model = joined(design, Quantization(activations=activations))
    shuffle = torch.Generator().manual_seed(0)
    task = TASK.first(256)
    fit(model, task, Recipe(), epochs=2, lr=0.01, loss=cross_entropy, generator=shuffle)
    program = lower(snapped(model), IMAGES)
    loaded = unpack(pack(program))
    assert list(bits_of(program).values()) == [4, 5, 5, 3, 8]
    assert [each.bits for each in loaded.tensors] == [each.bits for each in program.tensors]
    inputs = TASK.test.inputs
    wanted = logits(program, inputs)
    np.testing.assert_array_equal(logits(loaded, inputs), wanted)
    np.testing.assert_array_equal(run_onnx(to_onnx(loaded), inputs.numpy(), saturate=True), wanted)
    with torch.no_grad():
        steps = np.abs(model.eval()(inputs).numpy() - wanted) / program.tensors[-1].scale
    assert (steps < 0.5).mean() > 0.99


def test_the_bits_of_the_quantization_change_nothing() -> None:
    program = lower(snapped(joined({"activation_bits": 8})), IMAGES)
    assert pack(program) == pack(lower(snapped(joined({})), IMAGES))


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match=r"bits must be one of .*, but got 1 at 'activations'"):
        joined({"stem.activation_bits": 1})
    with pytest.raises(ValueError, match="a site must hold a convolution or linear layer, but"):
        joined({"stem.2.activation_bits": 4})
    with pytest.raises(ValueError, match="must come behind a compressor that quantizes"):
        compress(Joined(), {"activation_bits": 4}, (ActivationBits(),), IMAGES)
    with pytest.raises(ValueError, match=r"ranges must be one of .*, but got 'all'"):
        ActivationBits("all")  # type: ignore[arg-type]


def test_joint_choices_have_one_for_what_is_summed_if_they_are_asked_to() -> None:
    with seeded(0):
        model = residual_network(TASK, 8)
    plain = joint_choices(model, TASK.example)
    choices = joint_choices(model, TASK.example, activation_bits=(8, 4))
    assert list(choices[: len(plain)]) == list(plain)
    added = choices[len(plain) :]
    assert [choice.name for choice in added] == [
        "stem.0.activation_bits",
        *(f"block{i}.first.activation_bits" for i in range(3)),
    ]
    assert [[name for name, _ in choice.alternatives[0]] for choice in added] == [
        [],
        *([f"block{i}.drop"] for i in range(3)),
    ]
    compressors = (*JOINT_COMPRESSORS, ActivationBits())
    genotype = [0] * len(plain) + [1] * len(added)
    compressed = compress(model, choices.decode(genotype), compressors, IMAGES)
    program = lower(snapped(compressed), IMAGES)
    layers = {name: bits for name, bits in bits_of(program).items() if name != "head"}
    assert {bits for name, bits in layers.items() if "first" in name or "stem" in name} == {4}
    assert bits_of(program)["head"] == 8


def test_an_allocation_gives_the_first_option() -> None:
    with seeded(0):
        model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 10))
    choices = joint_choices(model, IMAGES[:2], activation_bits=(5, 8))
    found = allocate(model, IMAGES, size_bytes=900, choices=choices)
    assert found.design["0.activation_bits"] == 5
    assert bits_of(lower(found.model, IMAGES))["0"] == 5
