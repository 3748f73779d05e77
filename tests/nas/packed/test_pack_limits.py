import importlib
from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np
import pytest

from nas.packed.layout import ArtifactError
from nas.packed.pack import flash_bytes, pack
from nas.packed.unpack import unpack
from nas.program.operations import (
    Flatten,
    MaxPool,
    Operation,
    Pad,
    Upsample,
)
from nas.program.program import Program
from nas.program.tensors import Shape, TensorType
from tests.nas.packed.packed_programs import BYTE

Build = Callable[..., Any]


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
