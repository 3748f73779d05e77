import importlib
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from nas.packed import bits
from nas.packed.encodings import Encoded
from nas.packed.fields import Entry
from nas.packed.pack import flash_bytes, pack
from nas.packed.unpack import ledger, unpack
from nas.program.operations import (
    Gather,
    Linear,
    Lut,
    PRelu,
)
from nas.program.program import Program
from nas.program.scaling import Scaling
from nas.program.tensors import TensorType
from nas.program.weights import IntegerWeights
from tests.nas.packed.packed_programs import BYTE, layers, residual, small

Build = Callable[..., Any]


@pytest.mark.parametrize(("width", "budget"), [(4, 15_500), (8, 28_500)])
def test_a_network_of_25_thousand_weights_meets_its_budget(
    width: int, budget: int, build: Build
) -> None:
    program = residual(build, width)
    assert sum(layer.weights.size for layer in layers(program)) == 25_216
    assert sum(layer.weights.shape[0] for layer in layers(program)) == 666
    packed = pack(program)
    assert len(packed) <= budget
    others = sum(
        entry.bytes
        for entry in ledger(packed)
        if entry.purpose not in {"weights", "codebooks", "masks", "biases"}
    )
    assert flash_bytes(program) == others + 25_216 * width // 8 + 4 * 666


@pytest.mark.parametrize(
    ("zeros", "stored"),
    [
        ([5, 5, 5], "05 00"),
        ([5, 7, 6], "05 02 24"),
        ([0, 15, 1], "00 04 0f 10"),
        ([15, 15, 14], "0e 01 c0"),
    ],
)
def test_zero_points_take_the_fewest_bits(zeros: list[int], stored: str) -> None:
    scaling, weights = (
        Scaling(np.ones(3, np.uint16), 9, 0, 255),
        np.array([[-8, 7], [0, 1], [3, -2]], np.int8),
    )
    points = np.array(zeros, np.uint8)
    narrow, wide = IntegerWeights(weights, 4, points), IntegerWeights(weights, 8, points)
    linear = Linear("", (0,), scaling, narrow, np.zeros(3, np.int32))
    program = Program((TensorType((2,), 1.0, 0), TensorType((3,), 1.0, 0)), (linear,))
    packed, wanted = pack(program), bytes.fromhex(stored)
    # 4 bits and 8 for the zero points; 8 are 0.
    assert [packed[26], pack(Program(program.tensors, (replace(linear, weights=wide),)))[26]] == [
        12,
        0,
    ]
    begin = 28 + 2 * 3
    assert packed[begin : begin + len(wanted)] == wanted
    assert Entry("0.linear", "zero points", len(wanted)) in ledger(packed)
    assert flash_bytes(program) - len(packed) == 4 * 3 + (2 + 2) - len(wanted)
    found = unpack(packed).operations[0]
    assert isinstance(found, Linear)
    assert found.weights.levels.tolist() == [
        [(w + z) % 16 - z for w in row] for row, z in zip(weights.tolist(), zeros, strict=True)
    ]


def test_slopes_take_the_fewest_bits(build: Build) -> None:
    for slopes, size in (([0, 0, 0], 0), ([1, -1, 1], 1), ([255, -256, 0], 4), ([65535] * 3, 7)):
        builder = build((3,))
        builder.append(PRelu("", (0,), builder.scaling(1), np.array(slopes, np.int32)))
        program = builder.program()
        found = [entry.bytes for entry in ledger(pack(program)) if entry.purpose == "slopes"]
        assert found == ([size] if size else [])
        assert flash_bytes(program) == len(pack(program)) + 7 - size


def test_what_is_fixed_is_small(build: Build) -> None:
    builder = build((1, 28, 28))
    first = builder.conv(0, np.ones((8, 1, 3, 3), np.int8), 4, 1)
    second = builder.conv(builder.maxpool(first), np.ones((16, 8, 1, 1), np.int8), 4, 1)
    builder.linear(builder.flatten(builder.avgpool(second)), None, 4, affine=False)
    purposes = Counter[str]()
    for entry in ledger(pack(builder.program())):
        purposes[entry.purpose] += entry.bytes
    assert (
        sum(
            count
            for purpose, count in purposes.items()
            if purpose not in {"weights", "multipliers", "biases"}
        )
        <= 125
    )


def test_flash_holds_arrays_as_they_are(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    def raw(weights: NDArray[np.int8], width: int, _: int) -> Encoded:
        return Encoded(0, bits.pack(weights.ravel().view(np.uint8), width), 1)

    program = small(build)
    monkeypatch.setattr(importlib.import_module("nas.packed.layers"), "encode", raw)
    shorter = {"tables", "biases", "slopes", "zero points"}
    others = sum(entry.bytes for entry in ledger(pack(program)) if entry.purpose not in shorter)
    tables = sum(
        len(operation.table) for operation in program.operations if isinstance(operation, Lut)
    )
    slopes = sum(
        bits.packed_bytes(len(operation.slopes), 17)
        for operation in program.operations
        if isinstance(operation, PRelu)
    )
    biases = sum(4 * len(layer.biases) for layer in layers(program))
    zeros = sum(
        2 + bits.packed_bytes(len(layer.biases), layer.weights.bits)
        for layer in layers(program)
        if layer.weights.zero_points is not None
    )
    assert flash_bytes(program) == others + tables + slopes + biases + zeros


@pytest.mark.parametrize(
    ("channels", "size"), [(1, 2), (2, 2), (3, 3), (4, 3), (256, 9), (257, 11)]
)
def test_indices_have_the_bits_of_the_largest(channels: int, size: int) -> None:
    gather = Gather("gather", (0,), np.full(9, channels - 1, np.int32))
    program = Program((TensorType((channels,), 1.0, 0), TensorType((9,), 1.0, 0)), (gather,))
    assert Entry("0.gather", "indices", size) in ledger(pack(program))


def test_a_smooth_table_takes_a_fraction_of_its_entries() -> None:
    x = np.arange(256) / 16 - 8
    table = np.clip(np.rint(x / (1 + np.exp(-x)) * 16 + 8), 0, 255).astype(np.uint8)
    program = Program((BYTE, BYTE), (Lut("silu", (0,), table),))
    assert Entry("0.lut", "tables", 1 + 96) in ledger(pack(program))
    assert flash_bytes(program) == len(pack(program)) + 256 - 97
