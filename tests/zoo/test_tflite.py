"""The networks of the textbooks as .tflite files, under the rounding of either runtime."""

import numpy as np
import pytest
import torch

from compressors import quantize
from nas.lowering import lower
from nas.program import logits
from nas.program.rounding import Rounding
from tests.zoo.families import FAMILIES
from tests.zoo.steps import specimen

pytest.importorskip("tflite", reason="the extra tflite is not installed")

from nas.tflite import to_tflite
from nas.tflite.runtimes import run_litert, run_micro

INPUTS = 200
FEW = ("LeNet-5 with sigmoids", "ShuffleNetV2", "CNN for signals", "DS-CNN")
OTHERS = [
    name
    for name, family in FAMILIES.items()
    if not family.refused and name not in FEW and name != "AlexNet"  # 224 by 224 pixels
]
RUNTIMES = {"single": run_litert, "double": run_micro}

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*as they are:UserWarning"),
    pytest.mark.filterwarnings("ignore:.*weight_norm:FutureWarning"),
    pytest.mark.parametrize("rounding", RUNTIMES),
]


def assert_same(name: str, bits: int, rounding: Rounding) -> None:
    pytest.importorskip("ai_edge_litert" if rounding == "single" else "tflite_micro")
    found = specimen(FAMILIES[name])
    program = lower(quantize(found.model, bits, found.inputs), found.inputs)
    rng = torch.Generator().manual_seed(1)
    inputs = 3.0 * torch.rand(INPUTS, *FAMILIES[name].shape, generator=rng) - 1.0
    said = RUNTIMES[rounding](to_tflite(program, rounding=rounding), inputs.numpy())
    np.testing.assert_array_equal(said, logits(program, inputs, rounding=rounding))


@pytest.mark.parametrize("name", FEW)
def test_a_network_says_the_same(name: str, rounding: Rounding) -> None:
    assert_same(name, 8, rounding)


@pytest.mark.slow
@pytest.mark.parametrize("name", OTHERS)
def test_every_network_says_the_same(name: str, rounding: Rounding) -> None:
    assert_same(name, 8, rounding)


@pytest.mark.slow
@pytest.mark.parametrize("name", [*FEW, *OTHERS])
def test_networks_of_few_bits_say_the_same(name: str, rounding: Rounding) -> None:
    assert_same(name, 3, rounding)
