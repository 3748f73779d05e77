"""Weights of a layer that is called again: stored once by every writer."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from compressors.quantization import Quantization, quantize
from nas.evaluation.coded_size import expected_parts, found_parts
from nas.lowering import lower, snapped
from nas.measure.host import run_onnx
from nas.onnx import to_onnx
from nas.packed import flash_bytes, ledger, pack, unpack
from nas.program import Program, logits
from nas.program.operations import Layer

INPUTS = torch.randn(16, 3, 7, 7, generator=torch.Generator().manual_seed(0))


class Recurrent(nn.Module):
    """A convolution and its normalization that are called three times, and a layer called twice."""

    def __init__(self, norm: nn.Module) -> None:
        super().__init__()
        self.stem, self.conv, self.norm = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3, padding=1), norm
        self.linear, self.head = nn.Linear(8, 8), nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x).relu()
        for _ in range(3):
            x = x + self.norm(self.conv(x)).relu()
        x = self.linear(self.linear(x.mean((2, 3))))
        logits: Tensor = self.head(x)
        return logits


def lowered(bits: int, norm: nn.Module | None = None) -> Program:
    torch.manual_seed(0)
    model = Recurrent(nn.BatchNorm2d(8) if norm is None else norm).eval()
    return lower(snapped(quantize(model, bits, INPUTS)), INPUTS)


def stored(program: Program) -> int:
    """How many weights are held."""
    layers = [each for each in program.operations if isinstance(each, Layer)]
    return sum({id(layer.weights): layer.weights.size for layer in layers}.values())


@pytest.mark.parametrize("bits", [8, 4, 2, 1])
def test_a_file_has_the_weights_once(bits: int) -> None:
    program = lowered(bits)
    assert len([each for each in program.operations if isinstance(each, Layer)]) == 7
    assert stored(program) == 3 * 8 * 9 + 8 * 8 * 9 + 8 * 8 + 8 * 4
    packed = pack(program)
    loaded = unpack(packed)
    assert packed[4] == 7
    assert stored(loaded) == stored(program)
    assert pack(loaded) == packed
    np.testing.assert_array_equal(logits(loaded, INPUTS), logits(program, INPUTS))
    again = [each.bytes for each in ledger(packed) if each.purpose == "weights" and each.bytes == 1]
    assert again == [1, 1, 1]
    # Before version 7 they are written again.
    older = pack(program, newest=6)
    assert stored(unpack(older)) == stored(program) + 2 * 8 * 8 * 9 + 8 * 8
    assert len(older) > len(packed)


def test_zero_points_are_stored_once_too() -> None:
    torch.manual_seed(0)
    affine = Quantization(weights="affine")
    program = lower(quantize(Recurrent(nn.Identity()).eval(), 4, INPUTS, affine), INPUTS)
    packed = pack(program)
    loaded = unpack(packed)
    assert stored(loaded) == 3 * 8 * 9 + 8 * 8 * 9 + 8 * 8 + 8 * 4
    assert len([each for each in ledger(packed) if each.purpose == "zero points"]) == 4
    np.testing.assert_array_equal(logits(loaded, INPUTS), logits(program, INPUTS))


@pytest.mark.parametrize("bits", [8, 4, 2])
def test_costs_and_predictions_count_them_once(bits: int) -> None:
    program = lowered(bits)
    packed = pack(program)
    assert len(packed) <= flash_bytes(program)
    expected, found = sum(expected_parts(program).values()), sum(found_parts(packed).values())
    assert found == len(packed)
    assert abs(expected / found - 1) < 0.05


@pytest.mark.parametrize("bits", [8, 4, 2, 1])
def test_onnx_has_them_once(bits: int) -> None:
    program = lowered(bits)
    for fused in (False, True):
        model = to_onnx(program, fused=fused)
        large = [each for each in model.graph.initializer if np.prod(each.dims) == 8 * 8 * 9]
        assert len(large) == 1
    written = run_onnx(to_onnx(program), INPUTS.numpy(), saturate=True)
    np.testing.assert_array_equal(written, logits(program, INPUTS))


def test_layers_that_are_alike_are_not_the_same() -> None:
    torch.manual_seed(0)
    first, second = nn.Linear(3, 3), nn.Linear(3, 3)
    second.load_state_dict(first.state_dict())
    model = nn.Sequential(nn.Flatten(), nn.Linear(147, 3), first, second).eval()
    assert pack(lower(model, INPUTS))[4] < 7


def test_channels_that_die_in_one_call_alone_stay() -> None:
    torch.manual_seed(0)
    model = Recurrent(nn.Identity()).eval()
    with torch.no_grad():
        assert model.stem.bias is not None
        model.stem.bias[3] = -100.0  # 0 for every input behind the ReLU, but not after a sum
        model.head.weight[:, 2] = 0.0
    program = lower(snapped(quantize(model, 8, INPUTS)), INPUTS)
    assert stored(program) == 3 * 8 * 9 + 8 * 8 * 9 + 8 * 8 + 8 * 4


def test_channels_that_die_in_every_call_go() -> None:
    torch.manual_seed(0)
    conv = nn.Conv2d(3, 3, 1)
    model = nn.Sequential(conv, nn.ReLU(), conv, nn.ReLU(), nn.Flatten(), nn.Linear(147, 2)).eval()
    with torch.no_grad():
        assert conv.bias is not None
        conv.bias[1], conv.weight[1] = -1.0, 0.0
    program = lower(snapped(quantize(model, 8, INPUTS)), INPUTS)
    # The input has all of its channels, and so the first call reads them.
    assert stored(program) == 3 * 3 + 147 * 2
