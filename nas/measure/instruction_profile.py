"""Counts a table of instructions on an emulated core."""

import shutil
import subprocess
from collections.abc import Iterable

import numpy as np

from nas.c.cortex_m import COMPILER, CORES, EMULATOR, instructions_of_steps, missing
from nas.c.work import Work, works
from nas.measure.instruction_table import InstructionTable, fitted_rates
from nas.program.program import Program


def count_instruction_table(programs: Iterable[Program], core: str) -> InstructionTable:
    """The instructions of each kernel of some programs on an emulated core, a key of
    `nas.c.cortex_m.CORES`, counted within the programs.

    Equal work is what it took in the median: the compiler specializes kernels where they are
    called once.

    Raises:
        ValueError: if there is no such core, no compiler or emulator for it, or no program.
        CodeError: if a program has no C form.
    """
    check_countable(core)
    counted = [
        pair
        for program in programs
        for pair in zip(works(program), instructions_of_steps(program, CORES[core]), strict=True)
    ]
    if not counted:
        raise ValueError("there must be at least 1 program to count, but there is none")
    taken: dict[Work, list[float]] = {}
    for work, instructions in counted:
        taken.setdefault(work, []).append(float(instructions))
    medians = {work: float(np.median(each)) for work, each in taken.items()}
    return InstructionTable(core, _made_by(), fitted_rates(counted), medians)


def check_countable(core: str) -> None:
    """Raises ValueError if instructions of this core cannot be counted here."""
    if core not in CORES:
        raise ValueError(f"a core must be one of {', '.join(CORES)}, but got {core!r}")
    if commands := missing():
        raise ValueError(
            f"counting instructions needs {' and '.join(commands)}, but they are not installed"
        )


def _made_by() -> str:
    """The versions of compiler and emulator, as they name themselves."""
    names = []
    for command in (COMPILER, EMULATOR):
        path = shutil.which(command)
        assert path is not None
        said = subprocess.run([path, "--version"], capture_output=True, text=True, check=True)
        names.append(said.stdout.splitlines()[0])
    return f"{names[0]} -O2; {names[1]}"
