import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nas.c.work import Work, works
from nas.measure.instruction_table import (
    InstructionTable,
    fitted_rates,
    read_instruction_table,
    shipped_cores,
    shipped_table,
    write_instruction_table,
)
from tests.nas.c.small_networks import convolutional, perceptron

CALL, LINEAR = Work("call", (1, 0, 10)), Work("linear", (1, 2, 3))
TABLE = InstructionTable("cortex-m4", "a compiler", {"call": (5.0, 0.0, 2.0)}, {CALL: 24.0})


def test_what_was_counted_holds_and_the_rest_follows_from_rates() -> None:
    program = perceptron()
    call, *layers = works(program)
    assert [work.kernel for work in (call, *layers)] == ["call once", "linear", "linear"]
    rates = {"call": (5.0, 0.0, 2.0), "linear": tuple(float(i) for i in range(8))}
    estimated = InstructionTable("core", "", rates, {})
    known = InstructionTable("core", "", rates, {call: 1000.0})
    wanted = sum(float(np.dot(layer.times, rates["linear"])) for layer in layers)
    assert estimated.instructions(program) == 5 + 2 * 10 + wanted
    assert known.instructions(program) == 1000 + wanted


def test_kernels_that_are_not_known_are_named() -> None:
    with pytest.raises(ValueError, match=r"lacks MaxPool, conv, .*linear: nas profile --target"):
        TABLE.instructions(convolutional())


def test_rates_are_found_from_counts() -> None:
    rng, rates = np.random.default_rng(0), np.array([200.0, 7.0, 0.0])
    pieces = [Work("linear", (1, *map(int, rng.integers(100, 9999, 2)))) for _ in range(9)]
    found = fitted_rates([(piece, float(np.dot(piece.times, rates))) for piece in pieces])
    np.testing.assert_allclose(found["linear"], rates, atol=0.01)


def test_rates_are_never_negative() -> None:
    found = fitted_rates([(Work("call", (1, count)), 9000.0 / count) for count in (1, 2, 3, 9)])
    assert min(found["call"]) >= 0


@pytest.mark.parametrize("number", [-1.0, float("nan"), float("inf")])
def test_instructions_are_finite_and_not_negative(number: float) -> None:
    for changed in ({"rates": {"call": (number,)}}, {"counted": {CALL: number}}):
        with pytest.raises(ValueError, match="instructions must be finite and not negative"):
            dataclasses.replace(TABLE, **changed)


def test_tables_are_read_as_they_were_written(tmp_path: Path) -> None:
    write_instruction_table(TABLE, tmp_path / "table.json")
    again = read_instruction_table(tmp_path / "table.json")
    assert again == TABLE
    assert again.digest == TABLE.digest
    assert dataclasses.replace(TABLE, counted={}).digest != TABLE.digest


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda stored: json.dumps(stored)[:-9], "JSONDecodeError"),
        (lambda stored: "[" * 100_000, "Error"),
        (lambda stored: "null", "TypeError"),
        (lambda stored: json.dumps({**stored, "format": "other"}), "it is a 'other' of version 1"),
        (lambda stored: json.dumps({**stored, "version": 2}), "of version 2"),
        (lambda stored: json.dumps({**stored, "rates": []}), "AttributeError"),
        (lambda stored: json.dumps({**stored, "rates": {"call": [-1]}}), "as many rates"),
        (lambda stored: json.dumps({**stored, "rates": {"call": [0, 0, -1]}}), "not negative"),
        (lambda stored: json.dumps({**stored, "counted": [["linear", [1], 2]]}), "'linear'"),
        (lambda stored: json.dumps({**stored, "counted": [3]}), "TypeError"),
    ],
)
def test_damaged_tables_are_refused(tmp_path: Path, damage: Any, reason: str) -> None:
    path = tmp_path / "table.json"
    write_instruction_table(TABLE, path)
    path.write_text(damage(json.loads(path.read_bytes())))
    with pytest.raises(ValueError, match=rf"table.json must hold an instruction table .*{reason}"):
        read_instruction_table(path)


def test_the_table_of_a_cortex_m4_ships() -> None:
    assert "cortex-m4" in shipped_cores()
    table = shipped_table("cortex-m4")
    assert table.core == "cortex-m4"
    # More than one instruction for each product, and less than a hundred.
    program = convolutional()
    assert program.macs < table.instructions(program) < 100 * program.macs
    with pytest.raises(ValueError, match=r"a core must be one of cortex-m4.*, but got 'cortex-m0'"):
        shipped_table("cortex-m0")
