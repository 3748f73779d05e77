import importlib
import resource
import struct
import time
import tracemalloc
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from inspect import isabstract
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from nas.packed import bits
from nas.packed.encodings import Encoded
from nas.packed.fields import Entry
from nas.packed.layout import ArtifactError
from nas.packed.pack import flash_bytes, pack
from nas.packed.records import RECORDS
from nas.packed.unpack import ledger, unpack
from nas.program.operations import (
    Add,
    AvgPool,
    Conv,
    Flatten,
    Gather,
    Layer,
    Linear,
    Lut,
    MaxPool,
    Operation,
    Pad,
    PRelu,
    Upsample,
)
from nas.program.program import Program
from nas.program.scaling import Scaling
from nas.program.tensors import Shape, TensorType
from nas.program.weights import IntegerWeights

Build = Callable[..., Any]
Same = Callable[[Program, Program], None]
Programs = st.SearchStrategy[Program]

BYTE = TensorType((1,), 1.0, 0)
OPERATIONS = [record.kind for record in RECORDS.values()]


def seal(body: bytes) -> bytes:
    return body + struct.pack("<I", zlib.crc32(body))


def quantized(rng: np.random.Generator, shape: Shape, bits: int) -> NDArray[np.int8]:
    """Bell-shaped, the largest of each channel at the largest level."""
    values = rng.normal(size=(shape[0], prod(shape[1:])))
    top = 2 ** (bits - 1) - 1
    levels = np.rint(values / np.abs(values).max(1, keepdims=True) * (top + 0.499))
    weights: NDArray[np.int8] = levels.astype(np.int8).reshape(shape)
    return weights


def residual(build: Build, bits: int) -> Program:
    """25,216 weights in 666 channels: a stem, four separable convolutions, two of them with a
    shortcut, and a classifier.
    """
    rng, builder = np.random.default_rng(0), build((3, 32, 32))
    builder.biases = lambda count: np.rint(rng.normal(scale=10_000, size=count)).astype(np.int32)

    def conv(source: int, out: int, kernel: int, groups: int = 1) -> int:
        channels = builder.tensors[source].shape[0]
        weights, padding = (
            quantized(rng, (out, channels // groups, kernel, kernel), bits),
            kernel // 2,
        )
        biases, scaling = builder.biases(out), builder.scaling(out)
        operation = Conv(
            "",
            (source,),
            scaling,
            IntegerWeights(weights, bits),
            biases,
            (1, 1),
            (padding, padding),
            (1, 1),
            groups,
        )
        return int(builder.append(operation))

    last = conv(conv(conv(0, 24, 3), 24, 3, 24), 72, 1)
    for _ in range(2):
        branch = conv(conv(last, 72, 5, 72), 72, 1)
        last = builder.append(Add("", (last, branch), builder.scaling(2)))
    last = conv(conv(conv(last, 72, 3, 72), 88, 1), 88, 3, 88)
    last = builder.append(AvgPool("", (last,), (32, 32), (1, 1), (0, 0), builder.scaling(1)))
    builder.linear(builder.flatten(last), quantized(rng, (10, 88), bits), bits)
    program: Program = builder.program()
    return program


def layers(program: Program) -> list[Layer]:
    return [operation for operation in program.operations if isinstance(operation, Layer)]


def small(build: Build) -> Program:
    """Each kind of operation, and weights with zero points, in fewer than 500 bytes."""
    builder = build((2, 3, 3))
    for kind in (*OPERATIONS, Linear):
        builder.grow(kind)
    builder.linear(len(builder.operations), bits=4, affine=True)
    program: Program = builder.program()
    return program


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
    assert concrete(Operation) == set(OPERATIONS)
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


def test_the_version_is_the_lowest_that_has_all_kinds(build: Build) -> None:
    later: dict[type[Operation], int] = {PRelu: 3, Pad: 4}
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
    def raw(weights: NDArray[np.int8], width: int) -> Encoded:
        return Encoded(0, bits.pack(weights.ravel().view(np.uint8), width))

    program = small(build)
    monkeypatch.setattr(importlib.import_module("nas.packed.layers"), "encode", raw)
    shorter = {"tables", "biases", "slopes"}
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
    assert flash_bytes(program) == others + tables + slopes + biases


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


def test_fifty_thousand_weights_are_packed_and_read_in_no_time(build: Build) -> None:
    builder, rng = build((200,)), np.random.default_rng(0)
    last = builder.linear(
        builder.linear(0, quantized(rng, (150, 200), 6), 6), quantized(rng, (130, 150), 4), 4
    )
    builder.linear(last, quantized(rng, (10, 130), 8), 8)
    program, seconds = builder.program(), []
    for _ in range(5):
        begin = time.perf_counter()
        unpack(pack(program))
        seconds.append(time.perf_counter() - begin)
    assert min(seconds) < 0.06


def test_a_file_cut_anywhere_is_refused(build: Build) -> None:
    packed = pack(small(build))
    for cut in range(len(packed)):
        with pytest.raises(ArtifactError, match=r"^byte \d"):
            unpack(packed[:cut])
        with pytest.raises(ArtifactError, match=r"^byte \d"):
            ledger(packed[:cut])
        with pytest.raises(ArtifactError, match=r"^byte \d+"):
            unpack(seal(packed[: min(cut, len(packed) - 5)]))


def test_a_file_with_any_bit_flipped_is_refused(build: Build) -> None:
    packed = pack(small(build))
    for place in range(len(packed)):
        for flip in (*(1 << bit for bit in range(8)), 0xFF):
            with pytest.raises(ArtifactError, match=rf"^byte (0|4|{len(packed) - 4}): "):
                unpack(packed[:place] + bytes([packed[place] ^ flip]) + packed[place + 1 :])


@contextmanager
def memory_limit(more: int) -> Iterator[None]:
    """Raises MemoryError when more than `more` further bytes are allocated."""
    limits = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + more, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, limits)


def is_valid(data: bytes) -> bool:
    """Whether `data` can be read; asserts that what was read can be written again."""
    try:
        program = unpack(data)
    except ArtifactError:
        return False
    again = pack(program)
    assert pack(unpack(again)) == again
    assert sum(entry.bytes for entry in ledger(data)) == len(data)
    return True


def test_a_sealed_file_with_any_byte_flipped_is_valid_or_refused(build: Build) -> None:
    """The checksum matches the damaged bytes, so the reader's other checks must hold."""
    body = pack(small(build))[:-4]
    flipped = [
        body[:i] + bytes([body[i] ^ flip]) + body[i + 1 :]
        for i in range(len(body))
        for flip in (0x01, 0x02, 0x80, 0xFF)
    ]
    with memory_limit(256 << 20):
        valid = sum(is_valid(seal(damaged)) for damaged in flipped)
    assert 100 < valid < len(flipped) - 100


@settings(deadline=None, max_examples=300)
@given(data=st.data())
def test_sealed_bytes_of_any_kind_are_valid_or_refused(
    data: st.DataObject, programs: Programs
) -> None:
    body = bytearray(pack(data.draw(programs))[:-4])
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(5, len(body)))
        gone, new = data.draw(st.integers(0, 3)), data.draw(st.binary(max_size=6))
        body[place : place + gone] = new
    with memory_limit(256 << 20):
        is_valid(seal(bytes(body)))


HEAD = b"\x89NAS\x02"
TYPE = struct.pack("<fBB", 1.0, 0, 8)
LAYER = TYPE + bytes([9, 0, 255, 0x88, 0])
# One channel of weights of 4 bits, up to its zero point.
AFFINE = b"\1\0\1" + TYPE + bytes([9, 0, 255, 12, 0, 0, 0])


def chain(*operations: bytes, shape: bytes = b"\x01\x04", count: int | None = None) -> bytes:
    return seal(
        HEAD
        + bytes([len(operations) if count is None else count])
        + shape
        + TYPE
        + b"".join(operations)
    )


def later(*operations: bytes, version: int = 3, shape: bytes = b"\x01\x04") -> bytes:
    """The same as a file of a later version."""
    return seal(b"\x89NAS" + bytes([version]) + chain(*operations, shape=shape)[5:-4])


FLATTEN = b"\x08\0"
UP = b"\x09\0\x40"
IMAGE = b"\x03\x01\x80\x20\x80\x20"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        pytest.param(b"", "byte 0: 4 bytes must follow, but there are 0", id="nothing"),
        pytest.param(
            seal(b"\x89PNG\x01"),
            r"byte 0: a packed file must begin with b'\\x89NAS', but begins with b'\\x89PNG'",
            id="png",
        ),
        pytest.param(
            seal(b"\x89NAS\0"), "byte 4: .* version from 1 to 4, but has 0$", id="no version"
        ),
        pytest.param(
            seal(b"\x89NAS\x05"),
            "byte 4: .* version from 1 to 4, but has 5: newer software wrote it",
            id="newer",
        ),
        pytest.param(
            HEAD + b"\0\0\0\0\0",
            "byte 6: the checksum must be .* but is 00000000: the file is damaged",
            id="checksum",
        ),
        pytest.param(seal(HEAD), "byte 5: 1 bytes must follow, but there are 0", id="header only"),
        pytest.param(
            chain(count=0),
            "byte 13: a program needs one tensor more than operations",
            id="no operations",
        ),
        pytest.param(
            seal(HEAD + b"\x81\x20"),
            "byte 5: the operations .* at most 4,096, but got 4,097",
            id="operations",
        ),
        pytest.param(
            seal(HEAD + b"\x81\0"), "byte 5: a varint must be as short as can be", id="long varint"
        ),
        pytest.param(
            chain(shape=b"\x02\1\1"),
            "byte 6, input: the input must have 1 or 3 dimensions, but has 2",
            id="rank",
        ),
        pytest.param(chain(shape=b"\1\0"), r"input: a tensor must be \[F\]", id="no element"),
        pytest.param(
            chain(shape=b"\1\x81\x80\x80\x08"),
            "elements of the input .* 16,777,216, but got 16,777,217",
            id="input",
        ),
        pytest.param(
            chain(shape=b"\3" + b"\xff\xff\xff\xff\x0f" * 3),
            "elements of the input .* but got 79,",
            id="large input",
        ),
        pytest.param(
            chain(b"\x0b"),
            "byte 14, 0: the kind of an operation must be 0 to 10 in version 2, but is 11",
            id="kind of a later version",
        ),
        pytest.param(
            later(b"\x0c"),
            "byte 14, 0: the kind of an operation must be 0 to 11 in version 3, but is 12",
            id="kind of the last version",
        ),
        pytest.param(
            later(b"\x0d", version=4),
            "byte 14, 0: the kind of an operation must be 0 to 12 in version 4, but is 13",
            id="kind",
        ),
        pytest.param(
            later(b"\x0c\0\2\2", version=4),
            r"0.pad: its input must be \[C, H, W\], but is \(4,\)",
            id="margins of a vector",
        ),
        pytest.param(
            later(b"\x0c\0\2\3\1", version=4, shape=IMAGE),
            "0.pad: a pair of equal numbers must be written as one, but 1 is written twice",
            id="equal margins",
        ),
        pytest.param(
            later(b"\x0c\0\0\x81\x80\x08\0", version=4, shape=IMAGE),
            r"0.pad: margins must lie in 0 … 65535, but are \[0, 0, 65536, 0\]",
            id="margin",
        ),
        pytest.param(
            later(b"\x0c\0\xfe\xff\x07\0", version=4, shape=IMAGE),
            "0.pad: the elements of a tensor must be at most 67,108,864, but got 553,639,936",
            id="margins",
        ),
        pytest.param(
            later(b"\x0c\0\2", version=4, shape=IMAGE),
            "0.pad: 1 bytes must follow, but there are 0",
            id="no margins",
        ),
        pytest.param(
            later(b"\x0b\0" + TYPE + b"\x09\0\xff\x12"),
            "0.prelu: the bits of a slope must be at most 17, but got 18",
            id="slope bits",
        ),
        pytest.param(
            later(b"\x0b\0" + TYPE + b"\x09\0\xff\x11\1\0" + b"\x80" + bytes(8)),
            "0.prelu: slopes must lie in -65535 … 65535, but lie in -65536 … 0",
            id="slope",
        ),
        pytest.param(
            later(b"\x0b\0" + TYPE + b"\x09\0\xff\0\0\0"),
            "0.prelu: its multiplier must be 1 or more, but is 0",
            id="no multiplier",
        ),
        pytest.param(
            chain(b"\x08\x01"),
            "0.flatten: how far back a source lies must be at most 0, but got 1",
            id="source",
        ),
        pytest.param(
            chain(b"\x02\x01\0"), "0.add: it must read 2 to 64 tensors, but reads 1", id="summands"
        ),
        pytest.param(
            chain(b"\x04\x41" + bytes(65)),
            "0.concat: it must read 2 to 64 tensors, but reads 65",
            id="joined",
        ),
        pytest.param(
            chain(FLATTEN, b"\0", count=1),
            "the bytes behind the last operation .* but got 1",
            id="trailing",
        ),
        pytest.param(
            chain(b"\1\0\0" + LAYER),
            r"0.linear: weights must have no dimension of 0, but are \(0, 4\)",
            id="no weights",
        ),
        pytest.param(
            chain(b"\1\0\xff\xff\xff\xff\x0f" + LAYER),
            "weights of a layer .* but got 17,179,869,180",
            id="weights",
        ),
        pytest.param(
            chain(b"\1\0\x80\x80\x80\x08" + LAYER),
            "0.linear: 33,554,432 bytes must follow, but there are 0",
            id="multipliers",
        ),
        pytest.param(
            chain(b"\1\0\1" + TYPE + b"\x09\0\xff\x89\0"),
            "weights with zero points must have 2 to 8 bits, but have 1",
            id="weight bits",
        ),
        pytest.param(
            chain(AFFINE + b"\x05\x05\0"),
            "0.linear: the bits of a zero point must be at most 4, but got 5",
            id="zero point bits",
        ),
        pytest.param(
            chain(AFFINE + b"\x05\x04\xb0"),
            "zero points of weights of 4 bits must be at most 15, but got 16",
            id="zero point",
        ),
        pytest.param(
            chain(AFFINE + b"\x10\x00"),
            "zero points of weights of 4 bits .* but got 16",
            id="least zero point",
        ),
        pytest.param(
            chain(AFFINE + b"\xff\x04\xf0"),
            "zero points of weights of 4 bits .* but got 270",
            id="large zero point",
        ),
        pytest.param(
            chain(AFFINE + b"\x05\x04\xa1"),
            "last 4 bits of packed numbers must be 0",
            id="zero point filled",
        ),
        pytest.param(
            chain(AFFINE + b"\x05"),
            "0.linear: 1 bytes must follow, but there are 0",
            id="zero point missing",
        ),
        pytest.param(
            chain(b"\1\0\1" + TYPE + b"\x09\0\xff\x88\x21"),
            "bits of a bias must be at most 32, but got 33",
            id="bias bits",
        ),
        pytest.param(
            chain(b"\1\0\1" + TYPE + b"\xff\0\xff\x88\0\0\0"),
            "0.linear: a shift must lie in",
            id="shift",
        ),
        pytest.param(
            chain(b"\1\0\1" + TYPE + b"\x09\0\xff\x88\0\0\0\0\x80"),
            "byte 32, 0.linear: weights must lie in -127 … 127",
            id="weight",
        ),
        pytest.param(
            chain(b"\x0a\0" + TYPE + b"\x09"),
            "bits of a difference must be at most 8, but got 9",
            id="table bits",
        ),
        pytest.param(
            chain(b"\x0a\0" + struct.pack("<fBB", float("nan"), 0, 8)),
            "a scale must be positive and finite",
            id="scale",
        ),
        pytest.param(
            chain(b"\x0a\0" + struct.pack("<fBB", 1, 0, 9)),
            "a tensor must have 1 to 8 bits",
            id="tensor bits",
        ),
        pytest.param(chain(b"\7\0\0"), "0.gather: indices must be a vector", id="no index"),
        pytest.param(
            chain(b"\7\0\xff\xff\xff\xff\x0f"),
            "0.gather: 1,073,741,824 bytes must follow, but there are 0",
            id="indices",
        ),
        pytest.param(
            chain(UP, shape=b"\1\1"), r"0.upsample: its input must be \[C, H, W\]", id="no image"
        ),
        pytest.param(
            chain(UP, FLATTEN, shape=IMAGE),
            "0.upsample: the elements of a tensor .* but got 68,719,476,736",
            id="upsample",
        ),
        pytest.param(
            chain(b"\5\0\xd0\x8c\x01\0\0", shape=IMAGE),
            "0.maxpool: kernel, stride and dilation must be positive",
            id="no stride",
        ),
        pytest.param(
            chain(b"\5\0\x80\x80\x40\x80\x80\x40\0", shape=IMAGE),
            r"windows \(524288, 524288\) must fit \[4096, 4096\]",
            id="window",
        ),
        pytest.param(
            chain(b"\5\0\x80\x80\x40\x80\x80\x40\x80\x80\x20", shape=IMAGE),
            "kernel, stride, padding and dilation must be at most 65,535, but got 524,288",
            id="large window",
        ),
        pytest.param(
            chain(b"\5\0\x80\x80\x02\x80\x80\x02\x80\x80\x01", shape=IMAGE),
            "elements of a padded tensor must be at most 67,108,864, but got 419,430,400",
            id="padding",
        ),
        pytest.param(
            chain(b"\0\0\1\2\2\0\2\2" + LAYER, shape=b"\3\3\1\1"),
            "groups must divide 3 channels, but are 2",
            id="groups",
        ),
        pytest.param(
            chain(b"\0\0\1\2\2\0\2\0" + LAYER, shape=b"\3\3\1\1"),
            "groups must divide 3 channels, but are 0",
            id="no groups",
        ),
        pytest.param(
            chain(b"\0\0\1\x80\x80\x40\2\0\2\1" + LAYER, shape=IMAGE),
            "weights of a layer .* but got 274,877,906,944",
            id="kernel",
        ),
        pytest.param(
            chain(b"\6\0\2\2\0" + TYPE + b"\x09\0\xff\1\0", shape=b"\3\1\1\1"),
            "the output must be",
            id="no vector",
        ),
    ],
)
def test_malformed_files_are_refused_before_memory_is_taken(data: bytes, message: str) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(ArtifactError, match=message):
            unpack(data)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_few_bytes_may_stand_for_a_large_layer() -> None:
    layer = b"\1\0\1" + LAYER[:-2] + b"\x88\0" + bytes(2) + b"\0\1"
    tracemalloc.start()
    try:
        assert unpack(chain(layer, shape=b"\1\x80\x80\x80\x08")).macs == 2**24
        assert tracemalloc.get_traced_memory()[1] < 2**24 * 6
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("limit", "reader", "most", "refused"),
    [
        ("MAX_OPERATIONS", "unpack", 2, "operations of a program"),
        ("MAX_WEIGHTS", "unpack", 10, "weights of a program"),
        ("MAX_ELEMENTS", "layers", 6, "weights of a layer"),
    ],
)
def test_what_is_read_and_what_is_written_have_the_same_limits(
    limit: str, reader: str, most: int, refused: str, build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    builder = build((3,))
    builder.linear(builder.linear(0, np.ones((2, 3), np.int8), 4), np.ones((2, 2), np.int8), 4)
    program = builder.program()
    packed = pack(program)
    for module, act in (("pack", lambda: pack(program)), (reader, lambda: unpack(packed))):
        # By name, because the package has functions of the same names.
        monkeypatch.setattr(importlib.import_module(f"nas.packed.{module}"), limit, most)
        act()
        monkeypatch.setattr(importlib.import_module(f"nas.packed.{module}"), limit, most - 1)
        with pytest.raises(
            ArtifactError, match=f"{refused} must be at most {most - 1}, but got {most}"
        ):
            act()
        monkeypatch.undo()


def single(operation: Operation, shape: Shape, result: Shape) -> Program:
    """A program of one operation, and the Flatten that makes its result an output."""
    source, middle = TensorType(shape, 1.0, 0), TensorType(result, 1.0, 0)
    return Program(
        (source, middle, TensorType((prod(result),), 1.0, 0)), (operation, Flatten("end", (1,)))
    )


@pytest.mark.parametrize(
    ("program", "message"),
    [
        (
            single(Flatten("a", (0,)), (2**24 + 1,), (2**24 + 1,)),
            "elements of the input must be at most 16,777,216",
        ),
        (
            single(Upsample("a", (0,), 3), (1, 4096, 4096), (1, 12288, 12288)),
            "operation 0, Upsample 'a': the elements of a tensor",
        ),
        (
            single(Pad("a", (0,), (0, 65535), (1, 0)), (1, 1, 1024), (1, 65536, 1025)),
            "operation 0, Pad 'a': the elements of a tensor .* but got 67,174,400",
        ),
        (
            single(MaxPool("a", (0,), (70000, 1), (1, 1), (0, 0)), (1, 70000, 1), (1, 1, 1)),
            "must be at most 65,535, but got 70,000",
        ),
        (
            single(
                MaxPool("a", (0,), (1, 60001), (1, 60000), (0, 30000)), (1, 5000, 1), (1, 5000, 1)
            ),
            "the elements of a padded tensor must be at most 67,108,864, but got 300,005,000",
        ),
        (
            Program((BYTE,) * 4098, tuple(Flatten("f", (i,)) for i in range(4097))),
            "operations of a program must be at most 4,096",
        ),
        (
            Program((TensorType((1,), 0.1, 0),) * 2, (Flatten("f", (0,)),)),
            r"must be a float32, but got 0\.1: round it with",
        ),
        (
            Program((TensorType((1,), 1e39, 0),) * 2, (Flatten("f", (0,)),)),
            r"must be a float32, but got 1e\+39",
        ),
        (
            Program((TensorType((1,), 1e-50, 0),) * 2, (Flatten("f", (0,)),)),
            "must be a float32, but got 1e-50",
        ),
    ],
)
def test_what_no_file_can_hold_is_not_written(program: Program, message: str) -> None:
    with pytest.raises(ArtifactError, match=message):
        pack(program)
    with pytest.raises(ArtifactError, match=message):
        flash_bytes(program)
