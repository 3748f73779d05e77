import dataclasses
import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nas.lowering.lower import lower
from nas.measure.geometry import Geometry, geometries
from nas.measure.latency_profile import measure_latency_table
from nas.measure.latency_table import (
    LatencyTable,
    TableDevice,
    read_latency_table,
    write_latency_table,
)
from nas.program.operations import Conv, Flatten
from nas.program.program import Program
from nas.program.scaling import Scaling
from nas.program.tensors import TensorType
from nas.program.weights import IntegerWeights


def convs(*channels: int, groups: int = 1, bits: int = 8) -> Program:
    """Convolutions between images of 4x4, with these channels one after the other."""
    tensors, operations = [TensorType((channels[0], 4, 4), 1.0, 0)], []
    for index, (source, target) in enumerate(pairwise(channels)):
        weights, scaling = (
            IntegerWeights(np.ones((target, source // groups, 1, 1), np.int8), bits),
            Scaling(np.ones(target, np.uint16), 8, 0, 255),
        )
        geometry = ((1, 1), (0, 0), (1, 1), groups)
        operations.append(
            Conv(
                f"conv{index}",
                (index,),
                scaling,
                weights,
                np.zeros(target, np.int32),
                *geometry,
            )
        )
        tensors.append(TensorType((target, 4, 4), 1.0, 0))
    flat = TensorType((tensors[-1].size,), 1.0, 0)
    return Program((*tensors, flat), (*operations, Flatten("flatten", (len(operations),))))


def device(*known: tuple[Program, float], call: float = 1.0, slowdown: float = 1.0) -> TableDevice:
    """A device that knows the only operation of each program."""
    seconds = {geometries(program)[0]: taken for program, taken in known}
    return TableDevice("table", LatencyTable("host", call, slowdown, seconds))


def test_latencies_are_looked_up_and_summed() -> None:
    known = device((convs(2, 3), 10.0), (convs(3, 3), 100.0), call=0.5, slowdown=2.0)
    assert known.latency(convs(2, 3, 3, 3)) == 0.5 + 2 * (10 + 100 + 100)
    assert known.missing(convs(2, 3, 3, 3)) == []


def test_weights_of_any_bits_are_one_operation_and_groups_are_not() -> None:
    assert geometries(convs(4, 4, bits=2)) == geometries(convs(4, 4, bits=8))
    (plain,), (grouped,) = geometries(convs(4, 4)), geometries(convs(4, 4, groups=2))
    assert plain == Geometry(
        "Conv",
        "4x4x4 to 4x4x4, kernel 1x1, dilation 1x1, groups 1, stride 1x1, padding 0x0",
        256,
        144,
    )
    assert (grouped.kind, grouped.macs, grouped.bytes) == ("grouped Conv", 128, 136)


def test_what_is_missing_is_estimated_within_its_kind() -> None:
    def true(program: Program) -> float:
        (found,) = geometries(program)
        return 3.0 + 0.5 * found.macs + 0.25 * found.bytes

    measured = [convs(2, 2), convs(2, 8), convs(8, 3), convs(8, 8), convs(5, 2)]
    known = device(
        *[(program, true(program)) for program in measured], (convs(4, 4, groups=2), 1e6)
    )
    wanted = convs(5, 7)
    assert known.missing(wanted) == geometries(wanted)
    assert known.latency(wanted) == pytest.approx(1.0 + true(wanted))


def test_estimated_latencies_are_never_negative() -> None:
    # Seconds that fall with the size of an operation would be below 0 for the largest.
    known = device(*[(convs(n, n), 1.0 / n**3) for n in (2, 3, 4, 5, 20)])
    assert known.latency(convs(19, 19)) > 1.0


def test_fewer_than_four_of_a_kind_allow_no_estimate() -> None:
    known = device(*[(convs(n, n), float(n)) for n in (2, 3, 4)], (convs(4, 4, groups=2), 1.0))
    with pytest.raises(
        ValueError,
        match="'table' must know these operations, or 4 of their kind, but lacks: Conv 5x4x4 to 5x4x4",
    ):
        known.latency(convs(5, 5))


def test_all_that_is_missing_is_named() -> None:
    with pytest.raises(ValueError, match=r"2x4x4 to 3x4x4.*; Conv 3x4x4 to 2x4x4"):
        device((convs(2, 2), 1.0)).latency(convs(2, 3, 2, 3))


@pytest.mark.parametrize(
    ("call", "slowdown"), [(0.0, 1.0), (float("nan"), 1.0), (1.0, -1.0), (1.0, float("inf"))]
)
def test_tables_hold_positive_numbers(call: float, slowdown: float) -> None:
    with pytest.raises(ValueError, match="call and slowdown must be positive and finite, but got"):
        device((convs(2, 2), 1.0), call=call, slowdown=slowdown)


@pytest.mark.parametrize("seconds", [-1.0, float("nan"), float("inf")])
def test_operations_take_no_negative_time(seconds: float) -> None:
    with pytest.raises(ValueError, match="numbers must be finite and not negative, but got"):
        device((convs(2, 2), seconds))


class Network(nn.Module):
    """One operation of every sort that reads several tensors, and some of the others."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.gate, self.act, self.head = (
            nn.Conv2d(1, 3, 3, padding=1),
            nn.Conv2d(3, 3, 1),
            nn.Sigmoid(),
            nn.Linear(4, 3),
        )
        self.pool = nn.AdaptiveAvgPool2d(1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv(x)
        y = y * self.act(self.gate(self.pool(y)))
        return self.head(torch.flatten(self.pool(torch.cat([y + y, x], 1)), 1))  # type: ignore[no-any-return]


def test_a_profile_knows_every_operation_of_its_programs(tmp_path: Path) -> None:
    torch.manual_seed(0)
    program = lower(Network(), torch.rand(8, 1, 4, 4))
    table = measure_latency_table([program, program], rounds=2)
    assert set(table.seconds) == set(geometries(program))
    assert {found.kind for found in table.seconds} == {
        "Conv",
        "Linear",
        "AvgPool",
        "Lut",
        "Mul",
        "Add",
        "Concat",
    }
    write_latency_table(table, tmp_path / "table.json")
    again = read_latency_table(tmp_path / "table.json")
    assert again == table
    assert TableDevice("host", again).latency(program) > 0


@pytest.mark.parametrize("programs", [[], [convs(2, 3), convs(2, 4)], [convs(2, 3), convs(3, 3)]])
def test_a_profile_is_of_programs_for_one_task(programs: list[Program]) -> None:
    with pytest.raises(
        ValueError, match="programs must share one shape of input and of output, but have"
    ):
        measure_latency_table(programs, rounds=1)


TABLE = LatencyTable(
    "a host",
    1e-6,
    1.25,
    {geometries(convs(2, 3))[0]: 2e-6, geometries(convs(4, 4, groups=2))[0]: 0.0},
)


def test_tables_are_read_as_they_were_written(tmp_path: Path) -> None:
    write_latency_table(TABLE, tmp_path / "table.json")
    assert read_latency_table(tmp_path / "table.json") == TABLE
    first = (tmp_path / "table.json").read_bytes()
    write_latency_table(dataclasses.replace(TABLE), tmp_path / "table.json")
    assert (tmp_path / "table.json").read_bytes() == first


def _without(field: str) -> Any:
    return lambda stored: {key: value for key, value in stored.items() if key != field}


def _with(**fields: Any) -> Any:
    return lambda stored: {**stored, **fields}


def _row(**fields: Any) -> Any:
    return lambda stored: {**stored, "operations": [{**stored["operations"][0], **fields}]}


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda stored: json.dumps(stored).encode()[:-9], "JSONDecodeError"),
        (lambda stored: b"\xff" * 9, "UnicodeDecodeError"),
        (lambda stored: b"[" * 100_000, "Error"),
        (lambda stored: b"[1, 2]", "TypeError"),
        (lambda stored: b"null", "TypeError"),
        (_with(format="other"), "it is a 'other' of version 1"),
        (_with(version=2), "it is a 'latency table' of version 2"),
        (_with(version=True), "True is not of type int"),
        (_with(host=3), "3 is not of type str"),
        (_with(call=0.0), "call and slowdown must be positive"),
        (_with(slowdown=float("nan")), "call and slowdown must be positive"),
        (_with(operations=None), "TypeError"),
        (_with(operations=[[]]), "TypeError"),
        (
            lambda stored: {**stored, "operations": stored["operations"] * 2},
            "an operation appears twice",
        ),
        (_row(seconds="1"), "'1' is not of type float"),
        (_row(seconds=-1.0), "numbers must be finite and not negative"),
        (_row(macs=1.5), "1.5 is not of type int"),
        (_row(macs=True), "True is not of type int"),
        (_row(bytes=-1), "numbers must be finite and not negative"),
        (_row(kind=None), "None is not of type str"),
        *[
            (_without(field), f"KeyError\\('{field}'\\)")
            for field in ("format", "version", "host", "call", "slowdown", "operations")
        ],
    ],
)
def test_damaged_tables_are_refused(tmp_path: Path, damage: Any, reason: str) -> None:
    path = tmp_path / "table.json"
    write_latency_table(TABLE, path)
    damaged = damage(json.loads(path.read_bytes()))
    path.write_bytes(damaged if isinstance(damaged, bytes) else json.dumps(damaged).encode())
    with pytest.raises(
        ValueError,
        match=rf"table.json must hold a latency table of version 1, but does not: .*{reason}",
    ):
        read_latency_table(path)


def test_a_table_that_is_not_there_is_an_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_latency_table(tmp_path / "table.json")


def test_the_digest_of_a_table_changes_with_its_numbers(tmp_path: Path) -> None:
    write_latency_table(TABLE, tmp_path / "table.json")
    assert read_latency_table(tmp_path / "table.json").digest == TABLE.digest
    assert (
        len(
            {
                TABLE.digest,
                dataclasses.replace(TABLE, call=2e-6).digest,
                dataclasses.replace(TABLE, seconds={}).digest,
            }
        )
        == 3
    )
