"""Files of every released version, which must keep opening. `python
tests/nas/packed/test_golden.py` writes missing ones.

A file is never written again: a new version gets new names beside the old ones.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from nas.packed.encodings import encode
from nas.packed.layout import ArtifactError
from nas.packed.pack import pack
from nas.packed.records import RECORDS
from nas.packed.unpack import unpack
from nas.packed.version_1 import from_version_1
from nas.program.operations import (
    Add,
    AvgPool,
    Concat,
    Conv,
    EdgeAvgPool,
    EdgeMaxPool,
    Flatten,
    Gather,
    Layer,
    Linear,
    Lut,
    MaxPool,
    Mul,
    Operation,
    Pad,
    PRelu,
    Reshape,
    SameScale,
    Slice,
    Spread,
    Upsample,
)
from nas.program.program import Program
from nas.program.scaling import Scaling
from nas.program.tensors import TensorType
from nas.program.weights import IntegerWeights

FOLDER = Path(__file__).parent / "golden"


def numbers(low: int, high: int, count: int) -> NDArray[np.int64]:
    """The same on every machine and with every version of NumPy."""
    return low + np.arange(1, count + 1) ** 3 * 7919 % 10007 % (high - low + 1)


def scaling(count: int, high: int = 255) -> Scaling:
    return Scaling(numbers(2**14, 2**16 - 1, count).astype(np.uint16), 8 + count % 40, 3, high)


def linear(source: int, weights: NDArray[np.int64], bits: int) -> Linear:
    biases = numbers(-30, 20, len(weights)).astype(np.int32)
    integers = IntegerWeights(weights.astype(np.int8), bits)
    return Linear("linear", (source,), scaling(len(weights)), integers, biases)


def program(first: TensorType, *operations: Operation) -> Program:
    """Results that an operation scales have scale 1/4, 1/5, …, zero points 0, 1, … and 8 bits."""
    tensors = [first]
    for index, operation in enumerate(operations):
        shape = operation.result_shape([tensors[source].shape for source in operation.inputs])
        kept = tensors[operation.inputs[0]]
        if not isinstance(operation, SameScale):
            kept = TensorType(shape, float(np.float32(1 / (4 + index))), index, 8)
        tensors.append(TensorType(shape, kept.scale, kept.zero, kept.bits))
    return Program(tuple(tensors), operations)


def kinds() -> Program:
    """Each kind of operation."""
    depthwise, dense = (
        numbers(-7, 7, 4 * 2 * 3).reshape(4, 1, 2, 3),
        numbers(-1, 1, 3 * 4 * 2).reshape(3, 4, 1, 2),
    )
    biases = numbers(-(2**31), 2**31 - 1, 4).astype(np.int32)
    return program(
        TensorType((4, 6, 6), 1 / 256, 17, 6),
        Lut("lut", (0,), (np.arange(64) ** 2 // 16).astype(np.uint8)),
        Conv(
            "conv",
            (1,),
            scaling(4, 200),
            IntegerWeights(depthwise.astype(np.int8), 4),
            biases,
            (2, 1),
            (1, 2),
            (1, 1),
            4,
        ),
        Conv(
            "conv",
            (1,),
            scaling(3),
            IntegerWeights(dense.astype(np.int8), 2),
            np.zeros(3, np.int32),
            (1, 1),
            (0, 1),
            (1, 2),
            1,
        ),
        MaxPool("maxpool", (2,), (2, 2), (1, 2), (0, 1)),
        AvgPool("avgpool", (2,), (4, 8), (1, 1), (0, 0), scaling(1)),
        Mul("mul", (2, 5), scaling(1)),
        Add("add", (2, 6, 2), scaling(3)),
        Upsample("upsample", (7,), 2),
        Gather("gather", (8,), np.array([3, 1, 1], np.int32)),
        Concat("concat", (9, 8), scaling(2)),
        Flatten("flatten", (5,)),
        linear(11, numbers(0, 1, 3 * 4).reshape(3, 4) * 2 - 1, 1),
    )


def encodings() -> Program:
    """Each encoding of weights: each coder, without and with a codebook; a codebook of one value;
    signs.
    """
    mostly_zero = numbers(0, 40, 600) == 0
    bell = np.stack([numbers(-3, 3, 400 + 7 * i)[7 * i :] for i in range(3)]).sum(0)
    skewed = np.array([-90, -90, -90, -90, -90, 3, 5, 77])[numbers(0, 7, 400)]
    return program(
        TensorType((20,), 0.5, 128, 8),
        linear(0, numbers(-127, 127, 6 * 20).reshape(6, 20), 8),
        linear(1, (numbers(-127, 127, 96) * (numbers(0, 2, 96) == 0)).reshape(16, 6), 8),
        linear(2, (numbers(-7, 7, 320) * mostly_zero[:320]).reshape(20, 16), 4),
        linear(3, bell.reshape(20, 20), 5),
        linear(4, np.array([-90, 3, 5, 77])[numbers(0, 3, 120)].reshape(6, 20), 8),
        linear(
            5,
            (np.array([-90, 33, 77])[numbers(0, 2, 60)] * (numbers(0, 2, 67)[7:] == 0)).reshape(
                10, 6
            ),
            8,
        ),
        linear(6, (np.array([-90, 33, 77])[numbers(0, 2, 600)] * mostly_zero).reshape(60, 10), 8),
        linear(7, np.full((1, 60), -3), 8),
        linear(8, np.full((20, 1), 1), 1),
        linear(9, skewed.reshape(20, 20), 8),
    )


def zero_points() -> Program:
    """Weights with zero points: of each number of bits, one for all channels and one for each, also
    among zeros and few values.
    """
    any_bits, layers = numbers(0, 255, 9 * 8), list[Operation]()
    depthwise = numbers(-8, 7, 3 * 2 * 2).reshape(3, 1, 2, 2).astype(np.int8)
    geometry = ((1, 1), (0, 0), (1, 1), 3)
    zeros = np.array([15, 0, 9], np.uint8)
    weights = IntegerWeights(depthwise, 4, zeros)
    conv = Conv("conv", (0,), scaling(3), weights, np.zeros(3, np.int32), *geometry)
    for index, bits in enumerate(range(2, 9)):
        half, top = 2 ** (bits - 1), 2**bits - 1
        values = numbers(-half, half - 1, 8 * (12 if index == 0 else 8)).reshape(8, -1)
        if bits in (4, 8):
            values *= numbers(0, 4, 64).reshape(8, -1) == 0
        if bits == 6:
            values = np.array([-32, -3, 5, 31])[numbers(0, 3, 64)].reshape(8, -1)
        made = linear(index + 2, values, bits)
        points = (
            any_bits[8 * index : 8 * index + 8] % (top + 1) if index % 2 else np.full(8, top // 3)
        )
        weights = replace(made.weights, zero_points=points.astype(np.uint8))
        layers.append(replace(made, weights=weights))
    return program(TensorType((3, 3, 3), 1 / 256, 17, 6), conv, Flatten("flatten", (1,)), *layers)


def prelu() -> Program:
    """The kind that version 3 adds, on an image and on a vector, with slopes of both signs and with
    a single one.
    """
    slopes = numbers(-(2**16) + 1, 2**16 - 1, 5).astype(np.int32)
    return program(
        TensorType((5, 2, 3), 1 / 256, 17, 6),
        PRelu("prelu", (0,), scaling(1), slopes),
        Flatten("flatten", (1,)),
        PRelu("prelu", (2,), scaling(1), np.full(30, -3, np.int32)),
        linear(3, numbers(-7, 7, 4 * 30).reshape(4, 30), 4),
    )


def pad() -> Program:
    """The kind that version 4 adds: four margins, equal ones, and none."""
    return program(
        TensorType((2, 3, 2), 1 / 256, 17, 6),
        Pad("pad", (0,), (1, 2), (300, 0)),
        MaxPool("maxpool", (1,), (2, 101), (1, 100), (0, 0)),
        Pad("pad", (2,), (1, 1), (0, 0)),
        Flatten("flatten", (3,)),
    )


def range_coder() -> Program:
    """The coder that version 5 adds: of each number of bits, with a codebook, with zero points, and
    beside a kind of a later version than 2.
    """
    layers = list[Operation]()
    for index, bits in enumerate((1, 2, 3, 4, 6, 8)):
        # Neighbours are alike, and small weights frequent.
        walk = np.cumsum(numbers(-2, 2, 1000 + index)[index:]) // 3
        top, low = max(2 ** (bits - 1) - 1, 1), 2 ** max(bits - 4, 0)
        walk = walk * low + numbers(0, low - 1, 1000)
        values = np.where(walk % 7 < 3, 1, -1) if bits == 1 else walk % (2 * top + 1) - top
        layers.append(linear(index + 2, values.reshape((25, 40) if index % 2 else (40, 25)), bits))
    shared = np.array([-90, -90, -90, -90, 5, 77])[np.sort(numbers(0, 5, 1000)) ^ 1]
    affine = linear(9, (np.cumsum(numbers(-1, 1, 1000)) % 16 - 8).reshape(25, 40), 4)
    zeros = (numbers(0, 15, 25)).astype(np.uint8)
    return program(
        TensorType((25,), 0.5, 128, 8),
        PRelu("prelu", (0,), scaling(1), numbers(-(2**16) + 1, 2**16 - 1, 25).astype(np.int32)),
        Gather("gather", (1,), np.arange(25, dtype=np.int32)),
        *layers,
        linear(8, shared.reshape(40, 25), 8),
        replace(affine, weights=replace(affine.weights, zero_points=zeros)),
    )


def edges() -> Program:
    """The kinds that version 6 adds, and an input of two dimensions."""
    return program(
        TensorType((2, 15), 1 / 256, 17, 6),
        Reshape("reshape", (0,), (2, 3, 5)),
        EdgeMaxPool("edgemaxpool", (1,), (3, 2), (2, 3), (0, 0), (2, 0)),
        EdgeAvgPool("edgeavgpool", (1,), (2, 3), (1, 2), (0, 1), scaling(2), (0, 0)),
        EdgeAvgPool("edgeavgpool", (1,), (2, 2), (2, 2), (0, 0), scaling(3), (1, 1)),
        Concat("concat", (3, 3), scaling(2)),
        Reshape("reshape", (5,), (24,)),
        Reshape("reshape", (6,), (3, 8)),
        Flatten("flatten", (7,)),
    )


def spreads() -> Program:
    """The kinds that version 7 adds, and weights of a layer before: of the one before, with zero points,
    and of one further before.
    """
    weights = numbers(-7, 7, 3 * 3 * 2 * 2).reshape(3, 3, 2, 2).astype(np.int8)
    shared = IntegerWeights(weights, 4)
    affine = IntegerWeights(weights, 4, np.array([15, 0, 9], np.uint8))
    geometry = (1, 1), (1, 1), (1, 1), 1

    def conv(source: int, weights: IntegerWeights) -> Conv:
        return Conv("conv", (source,), scaling(3), weights, np.zeros(3, np.int32), *geometry)

    return program(
        TensorType((3, 3, 4), 1 / 256, 17, 6),
        Spread("spread", (0,), (2, 3), (1, 0)),
        Slice("slice", (1,), (1, 0), (2, 1), (2, 5)),
        conv(2, shared),
        conv(3, affine),
        conv(4, affine),
        conv(5, shared),
        Spread("spread", (6,), (1, 1), (0, 0)),
        Slice("slice", (7,), (0, 0), (1, 1), (1, 1)),
        Flatten("flatten", (8,)),
    )


def as_of_version_1(make: Callable[[], Program]) -> Program:
    """The program as it reads when the biases of its file are 256ths of a step."""
    made = make()
    operations = [from_version_1(op) if isinstance(op, Layer) else op for op in made.operations]
    return Program(made.tensors, tuple(operations))


GOLDEN: dict[str, Callable[[], Program]] = {
    "v1_kinds": partial(as_of_version_1, kinds),
    "v1_encodings": partial(as_of_version_1, encodings),
    "v2_kinds": kinds,
    "v2_encodings": encodings,
    "v2_zero_points": zero_points,
    "v3_prelu": prelu,
    "v4_pad": pad,
    "v5_range_coder": range_coder,
    "v6_edges": edges,
    "v7_spreads": spreads,
}


@pytest.mark.parametrize("name", GOLDEN)
def test_files_of_every_version_open(
    name: str, assert_same: Callable[[Program, Program], None]
) -> None:
    assert_same(unpack((FOLDER / f"{name}.bin").read_bytes()), GOLDEN[name]())


@pytest.mark.parametrize("name", [name for name in GOLDEN if not name.startswith("v1")])
def test_programs_are_still_written_as_the_same_bytes(name: str) -> None:
    assert pack(GOLDEN[name](), newest=int(name[1])) == (FOLDER / f"{name}.bin").read_bytes()


@pytest.mark.parametrize("name", [name for name in GOLDEN if not name.startswith("v1")])
def test_a_file_has_the_lowest_version_that_it_needs(name: str) -> None:
    version = int(name[1])
    assert (FOLDER / f"{name}.bin").read_bytes()[4] == version
    shortest = pack(GOLDEN[name]())
    assert shortest[4] in (version, 5)
    assert len(shortest) <= len(pack(GOLDEN[name](), newest=version))


def test_what_needs_a_later_version_is_refused() -> None:
    with pytest.raises(ArtifactError, match="version that it needs must be at most 3, but got 4"):
        pack(pad(), newest=3)
    for newest in (1, 8):
        with pytest.raises(ArtifactError, match=f"versions 2 to 7, but got {newest}"):
            pack(pad(), newest=newest)
    assert pack(range_coder(), newest=3)[4] == 3


def test_every_coder_is_in_a_file() -> None:
    layers = [layer for layer in range_coder().operations if isinstance(layer, Layer)]
    found = [encode(layer.weights.values, layer.weights.bits).encoding for layer in layers]
    assert found == [4] * 6 + [12, 4]


def test_every_kind_is_in_a_file() -> None:
    written = {type(operation) for make in GOLDEN.values() for operation in make().operations}
    assert written == {record.kind for record in RECORDS.values()}


def test_every_file_is_tried() -> None:
    assert {path.stem for path in FOLDER.iterdir()} == set(GOLDEN)


if __name__ == "__main__":
    for name, make in GOLDEN.items():
        if not (path := FOLDER / f"{name}.bin").exists():
            path.write_bytes(pack(make()))
