"""Cortex-M processors that run the C of a program."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from nas.c import write_c
from nas.c.cortex_m import CORES, instructions
from nas.measure.instruction_profile import check_countable
from nas.measure.instruction_table import InstructionTable
from nas.program.program import Program

CYCLES_PER_INSTRUCTION: Mapping[str, float] = {
    "cortex-m3": 1.6,
    "cortex-m4": 1.6,
    # Two instructions at once: by the ratio of both cores' CoreMark for each MHz, 5.0 to 3.4.
    "cortex-m7": 1.1,
}
"""An assumption, not measured on hardware. That of a Cortex-M4 is what Arm's table of instruction timings
says of every instruction of three networks, 1.52 to 1.77: a load 2 cycles, 1 behind another one; a taken
branch 3; multiplications, also dual and long ones, 1. Memory without wait states.
"""

_MHZ = 1e6


@dataclass(frozen=True)
class CortexM:
    """A Cortex-M processor on which QEMU counts the instructions of the compiled C of each program.

    `core` is a key of `nas.c.cortex_m.CORES`, `clock` in Hz. An instruction takes
    `cycles_per_instruction`, by default those of `CYCLES_PER_INSTRUCTION`. Counting takes a second or
    two a program: a search is faster with a `CortexMTable`.

    Raises:
        ValueError: if there is no such core, compiler or emulator, or a number is not positive.
    """

    core: str = "cortex-m4"
    clock: float = 64 * _MHZ
    cycles_per_instruction: float | None = None

    def __post_init__(self) -> None:
        check_countable(self.core)
        _check_rates(self.clock, self.cycles_per_instruction)

    @property
    def name(self) -> str:
        """The core and its clock."""
        return _named(self.core, self.clock)

    def latency(self, program: Program) -> float:
        """The seconds of one inference.

        Raises:
            CodeError: if the program has no C form.
            ValueError: if the C does not run there.
        """
        with tempfile.TemporaryDirectory() as made:
            write_c(program, Path(made))
            count = instructions(Path(made), CORES[self.core])
        return _seconds(count, self.core, self.clock, self.cycles_per_instruction)


@dataclass(frozen=True)
class CortexMTable:
    """A Cortex-M processor whose instructions are looked up in `table`; the rest is as in `CortexM`.

    Raises:
        ValueError: if a number is not positive, or the cycles of the table's core are not known and
            not given.
    """

    table: InstructionTable
    clock: float = 64 * _MHZ
    cycles_per_instruction: float | None = None

    def __post_init__(self) -> None:
        _check_rates(self.clock, self.cycles_per_instruction)
        if self.cycles_per_instruction is None and self.table.core not in CYCLES_PER_INSTRUCTION:
            raise ValueError(
                f"a table must be of {', '.join(CYCLES_PER_INSTRUCTION)}, or cycles_per_instruction "
                f"given, but it is of {self.table.core!r}"
            )

    @property
    def name(self) -> str:
        """The core and its clock."""
        return _named(self.table.core, self.clock)

    def latency(self, program: Program) -> float:
        """The seconds of one inference.

        Raises:
            ValueError: if the table lacks kernels.
        """
        count = self.table.instructions(program)
        return _seconds(count, self.table.core, self.clock, self.cycles_per_instruction)


def _named(core: str, clock: float) -> str:
    return f"{core} at {clock / _MHZ:g} MHz"


def _seconds(count: float, core: str, clock: float, cycles: float | None) -> float:
    return count * (CYCLES_PER_INSTRUCTION[core] if cycles is None else cycles) / clock


def _check_rates(clock: float, cycles: float | None) -> None:
    if not (0 < clock < float("inf") and (cycles is None or 0 < cycles < float("inf"))):
        raise ValueError(
            f"clock and cycles_per_instruction must be positive and finite, but got {clock} and {cycles}"
        )
