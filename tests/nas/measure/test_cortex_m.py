import dataclasses
from pathlib import Path

import pytest

from nas.c.cortex_m import COMPILER, EMULATOR
from nas.measure import CortexM, CortexMTable
from nas.measure.instruction_profile import count_instruction_table
from nas.measure.instruction_table import InstructionTable, shipped_table
from nas.testing import check_device
from tests.nas.c.compiled import needs
from tests.nas.c.small_networks import convolutional, perceptron

emulated = needs(COMPILER, EMULATOR)


def test_seconds_are_instructions_times_cycles_over_the_clock() -> None:
    table, program = shipped_table("cortex-m4"), perceptron()
    count = table.instructions(program)
    assert CortexMTable(table, 100e6).latency(program) == pytest.approx(count * 1.6 / 100e6)
    assert CortexMTable(table, 50e6, 2.0).latency(program) == pytest.approx(count * 2 / 50e6)
    assert CortexMTable(table).name == "cortex-m4 at 64 MHz"


def test_a_table_is_a_device() -> None:
    check_device(CortexMTable(shipped_table("cortex-m4")), convolutional())


@emulated
def test_the_table_that_ships_predicts_what_is_counted() -> None:
    for program in (convolutional(), perceptron()):
        counted = CortexM("cortex-m4").latency(program)
        predicted = CortexMTable(shipped_table("cortex-m4")).latency(program)
        assert predicted == pytest.approx(counted, rel=0.2)


@emulated
def test_a_profile_of_a_network_has_its_instructions() -> None:
    program = convolutional()
    table = count_instruction_table([program], "cortex-m4")
    assert len(table.counted) == len(set(table.counted))
    counted = CortexM("cortex-m4").latency(program)
    assert CortexMTable(table).latency(program) == pytest.approx(counted, rel=0.02)
    assert "-O2" in table.made_by
    with pytest.raises(ValueError, match="there must be at least 1 program to count"):
        count_instruction_table([], "cortex-m4")


def test_what_cannot_be_counted_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match=r"a core must be one of cortex-m3, .*, but got 'cortex-m0'"
    ):
        CortexM("cortex-m0")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ValueError, match=f"needs {COMPILER} and {EMULATOR}, but they are not"):
        CortexM("cortex-m4")


def test_rates_are_positive() -> None:
    table = shipped_table("cortex-m4")
    for clock, cycles in ((0.0, None), (float("inf"), None), (1e6, -1.0)):
        with pytest.raises(ValueError, match="must be positive and finite, but got"):
            CortexMTable(table, clock, cycles)
    other = dataclasses.replace(table, core="a core")
    with pytest.raises(ValueError, match="cycles_per_instruction given, but it is of 'a core'"):
        CortexMTable(other)
    assert isinstance(CortexMTable(other, 1e6, 1.0).table, InstructionTable)
