import dataclasses
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from nas.c.model_source import model_source
from nas.c.stored_weights import stored
from nas.lowering.scalings import scaling
from nas.packed.layers import plain_weight_bytes
from nas.program.operations import Conv
from nas.program.program import Program
from nas.program.tensors import TensorType
from nas.program.weights import IntegerWeights
from tests.nas.c.compiled import assert_same, needs_compiler
from tests.nas.onnx.runtime_steps import flattened

SHAPE = (9, 5, 3, 3)


def drawn(bits: int, keep: float = 1.0, seed: int = 0) -> NDArray[np.int8]:
    rng = np.random.default_rng(seed)
    top = max(2 ** (bits - 1) - 1, 1)
    values = rng.integers(-top, top + 1, SHAPE)
    if bits == 1:
        return np.where(values < 0, -1, 1).astype(np.int8)
    return np.where(rng.random(SHAPE) < keep, values, 0).astype(np.int8)


def network(weights: IntegerWeights) -> Program:
    gain = scaling(np.full(9, 0.4 / 2**weights.bits), (0, 255))
    biases = np.arange(9, dtype=np.int32) * 100
    conv = Conv("conv", (0,), gain, weights, biases, (2, 2), (1, 1), (1, 1), 1)
    return flattened([TensorType((5, 6, 6), 0.5, 3), TensorType((9, 3, 3), 0.5, 100)], conv)


@pytest.mark.parametrize(
    ("values", "width", "marks", "gap_width", "codebook"),
    [
        (drawn(5), 5, False, False, False),
        (drawn(5, 0.6), 5, True, False, False),
        (drawn(5, 0.05), 5, True, True, False),
        (np.where(drawn(6) > 0, 25, -9).astype(np.int8), 1, False, False, True),
        (np.where(drawn(6, 0.2) > 0, 25, 0).astype(np.int8), 1, True, True, True),
    ],
)
def test_weights_lie_in_the_shortest_form(
    values: NDArray[np.int8], width: int, marks: bool, gap_width: bool, codebook: bool
) -> None:
    form = stored(values, 6 if codebook else 5)
    found = (form.width, form.marks is not None, form.gap_width > 0, form.values is not None)
    assert found == (width, marks, gap_width, codebook)
    assert (form.count > 0) == gap_width


@pytest.mark.parametrize("bits", range(1, 9))
def test_no_form_is_longer_than_flash_bytes_counts(bits: int) -> None:
    for keep in (1.0, 0.5, 0.1):
        values = drawn(bits, keep)
        kept = None if bits == 1 else values != 0
        counted = plain_weight_bytes(IntegerWeights(values, bits, kept=kept))
        assert stored(values, bits).size <= counted


@needs_compiler
@pytest.mark.parametrize("bits", range(1, 9))
def test_weights_of_each_number_of_bits_are_read(bits: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(bits)
    zeros = rng.integers(0, 2**bits, 9).astype(np.uint8)
    for index, keep in enumerate((1.0, 0.5, 0.05) if bits > 1 else (1.0,)):
        affine = None if bits == 1 or index == 1 else zeros
        weights = IntegerWeights(drawn(bits, keep, bits), bits, affine)
        for plain in (False, True):
            assert_same(network(weights), tmp_path / f"{index}{plain}", plain=plain)


@needs_compiler
def test_codebooks_are_read(tmp_path: Path) -> None:
    for index, entries in enumerate(([-31, 7], [-20, 0, 3, 25, 30], [9])):
        values = np.random.default_rng(index).choice(entries, SHAPE).astype(np.int8)
        weights = IntegerWeights(values, 6)
        assert "codebook" in model_source(network(weights), False).text
        assert_same(network(weights), tmp_path / str(index))
        affine = dataclasses.replace(weights, zero_points=np.arange(9, dtype=np.uint8) * 7)
        assert_same(network(affine), tmp_path / f"{index}affine")
