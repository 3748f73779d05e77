from collections.abc import Callable
from inspect import isabstract
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nas.packed.fields import Entry
from nas.packed.pack import flash_bytes, pack
from nas.packed.unpack import ledger, unpack
from nas.program.operations import (
    EdgeAvgPool,
    EdgeMaxPool,
    Gather,
    Layer,
    Linear,
    Lut,
    Operation,
    Pad,
    PRelu,
    Reshape,
    Slice,
    Spread,
)
from nas.program.program import Program
from nas.program.scaling import Scaling
from nas.program.tensors import TensorType
from nas.program.weights import IntegerWeights
from tests.nas.packed.packed_programs import OPERATIONS, quantized, small

Build = Callable[..., Any]


Same = Callable[[Program, Program], None]


Programs = st.SearchStrategy[Program]


@settings(deadline=None)
@given(data=st.data())
def test_a_program_comes_back_as_it_was(
    data: st.DataObject, programs: Programs, assert_same: Same
) -> None:
    program = data.draw(programs)
    packed = pack(program)
    found = unpack(packed)
    assert_same(found, program)
    assert pack(found) == pack(program) == packed
    entries = ledger(packed)
    assert sum(entry.bytes for entry in entries) == len(packed)
    assert min(entry.bytes for entry in entries) > 0
    assert flash_bytes(program) >= len(packed)


def concrete(kind: type[Any]) -> set[type[Any]]:
    """The operations of a family, without its abstract classes."""
    below = {found for each in kind.__subclasses__() for found in concrete(each)}
    return below if isabstract(kind) else below | {kind}


def test_every_operation_has_a_record() -> None:
    # Other tests have operations of their own.
    ours = {kind for kind in concrete(Operation) if kind.__module__.startswith("nas.")}
    assert ours == set(OPERATIONS)
    assert len(OPERATIONS) == len(set(OPERATIONS))


def test_programs_of_all_kinds_are_drawn(build: Build) -> None:
    kinds = {type(operation) for operation in small(build).operations}
    assert kinds == set(OPERATIONS)


def test_operations_are_named_by_index_and_kind(build: Build) -> None:
    program = small(build)
    packed = pack(program)
    names = [
        f"{index}.{type(operation).__name__.lower()}"
        for index, operation in enumerate(program.operations)
    ]
    assert [operation.name for operation in unpack(packed).operations] == names
    assert [*dict.fromkeys(entry.layer for entry in ledger(packed))] == ["", "input", *names]


def test_every_array_is_ready_to_be_written_to(build: Build) -> None:
    for operation in unpack(pack(small(build))).operations:
        values = [*vars(operation).values()]
        if isinstance(operation, Layer):
            values += vars(operation.weights).values()
        arrays = [value for value in values if isinstance(value, np.ndarray)]
        assert all(array.flags.writeable and array.flags.c_contiguous for array in arrays)


def test_the_ledger_says_what_each_byte_is_for() -> None:
    scaling = Scaling(np.array([1, 2, 3], np.uint16), 9, 0, 255)
    weights = IntegerWeights(np.array([[-1, 1], [1, 1], [1, -1]], np.int8), 1)
    linear = Linear("classifier", (2,), scaling, weights, np.array([-3, 0, 3], np.int32))
    gather, lut = (
        Gather("gather", (0,), np.array([3, 0], np.int32)),
        Lut("square", (1,), (np.arange(256) ** 2 // 255).astype(np.uint8)),
    )
    types = [
        TensorType((5,), 0.5, 7),
        TensorType((2,), 0.5, 7),
        TensorType((2,), 2.0, 0),
        TensorType((3,), 0.25, 9),
    ]
    packed = pack(Program(tuple(types), (gather, lut, linear)))
    assert ledger(packed) == (
        Entry("", "header", 4 + 1 + 1),
        Entry("input", "structure", 2 + 6),
        Entry("0.gather", "structure", 3),
        Entry("0.gather", "indices", 1),
        Entry("1.lut", "structure", 2 + 6 + 1),
        Entry("1.lut", "tables", 1 + (255 * 3 + 7) // 8),
        Entry("2.linear", "structure", 3 + 6 + 3 + 2),
        Entry("2.linear", "multipliers", 6),
        Entry("2.linear", "biases", 2),
        Entry("2.linear", "weights", 1),
        Entry("", "checksum", 4),
    )
    assert packed.hex(" ", 1).startswith(
        "89 4e 41 53 02 03 01 05 00 00 00 3f 07 08 07 00 02 60 0a 00 00 00 00 40 00 08 03 00"
    )


def test_the_version_is_the_lowest_that_has_all_kinds(build: Build) -> None:
    later: dict[type[Operation], int] = {
        PRelu: 3,
        Pad: 4,
        EdgeMaxPool: 6,
        EdgeAvgPool: 6,
        Reshape: 6,
        Spread: 7,
        Slice: 7,
    }
    for kind in OPERATIONS:
        builder = build((3, 4, 4))
        builder.grow(kind)
        if kind is Linear:
            builder.linear(builder.flatten(0))
        assert pack(builder.program())[4] == later.get(kind, 2)


@pytest.mark.parametrize(
    ("margins", "stored"),
    [
        (((1, 1), (1, 1)), "02 02"),
        (((0, 1), (2, 0)), "01 01 05 00"),
        (((0, 0), (0, 64)), "00 01 40"),
    ],
)
def test_equal_margins_are_stored_once(
    margins: tuple[tuple[int, int], tuple[int, int]], stored: str, build: Build
) -> None:
    builder = build((1, 2, 2))
    builder.append(Pad("", (0,), *margins))
    packed = pack(builder.program())
    assert packed[16:].startswith(b"\x0c\0" + bytes.fromhex(stored) + b"\x08\0")
    assert Entry("0.pad", "structure", 2 + len(bytes.fromhex(stored))) in ledger(packed)
    assert flash_bytes(builder.program()) == len(packed)


def test_fifty_thousand_weights_come_back_as_they_were(build: Build) -> None:
    builder, rng = build((200,)), np.random.default_rng(0)
    last = builder.linear(
        builder.linear(0, quantized(rng, (150, 200), 6), 6), quantized(rng, (130, 150), 4), 4
    )
    builder.linear(last, quantized(rng, (10, 130), 8), 8)
    program = builder.program()
    loaded = unpack(pack(program))
    for operation, again in zip(program.operations, loaded.operations, strict=True):
        assert isinstance(operation, Linear)
        assert isinstance(again, Linear)
        assert np.array_equal(operation.weights.values, again.weights.values)
        assert operation.weights.bits == again.weights.bits
