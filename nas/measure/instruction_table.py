"""How many instructions the kernels of written C take on a processor, from a table."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from math import inf
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import nnls

from nas import durable
from nas.c.work import ONCE, Work, works
from nas.measure.latency_table import MOST_BYTES
from nas.program.program import Program
from nas.regular_file import read_regular

FORMAT, VERSION = "instruction table", 1
_LEAST = 2000
"""Instructions below which errors count less, since counts are exact to 40."""


@dataclass(frozen=True)
class InstructionTable:
    """What the C of nas.c takes on a `core`, such as cortex-m4, as `made_by` compiler and emulator.

    `rates` are the instructions of each number of a kernel's `Work`, and `counted` those of whole
    pieces of work, which hold where they are there. A kernel that is called once has the rates of one
    that is called more often where it has none, and the other way round.

    Raises:
        ValueError: if a number is negative or not finite.
    """

    core: str
    made_by: str
    rates: Mapping[str, tuple[float, ...]]
    counted: Mapping[Work, float]

    def __post_init__(self) -> None:
        numbers = [rate for rates in self.rates.values() for rate in rates]
        if not all(0 <= number < inf for number in [*numbers, *self.counted.values()]):
            raise ValueError("instructions must be finite and not negative, but some are not")

    @property
    def digest(self) -> str:
        """A hash of the table, 16 hexadecimal digits."""
        return hashlib.sha256(_to_json(self).encode()).hexdigest()[:16]

    def instructions(self, program: Program) -> float:
        """The instructions of one inference.

        Raises:
            ValueError: if kernels are neither counted nor have rates; the message names them all.
        """
        wanted = works(program)
        unknown = {
            work.kernel.removesuffix(ONCE)
            for work in wanted
            if work not in self.counted and not self._rates(work.kernel)
        }
        if unknown:
            raise ValueError(
                f"a table of {self.core} must know all kernels of a network, but lacks "
                f"{', '.join(sorted(unknown))}: nas profile --target {self.core} counts them"
            )
        return sum(map(self._instructions, wanted))

    def _instructions(self, work: Work) -> float:
        if work in self.counted:
            return self.counted[work]
        return float(np.dot(work.times, self._rates(work.kernel)))

    def _rates(self, kernel: str) -> tuple[float, ...]:
        """The rates of a kernel, none if it is not known."""
        name = kernel.removesuffix(ONCE)
        other = name if kernel != name else name + ONCE
        return self.rates.get(kernel) or self.rates.get(other, ())


def fitted_rates(counted: Sequence[tuple[Work, float]]) -> Mapping[str, tuple[float, ...]]:
    """The rates, none below 0, of least squared relative error, by kernel (non-negative least squares,
    Lawson and Hanson, 1974).
    """
    rates = {}
    for kernel in sorted({work.kernel for work, _ in counted}):
        known = [(work.times, taken) for work, taken in counted if work.kernel == kernel]
        weights = np.array([1.0 / max(taken, _LEAST) for _, taken in known])
        times = np.array([times for times, _ in known], float) * weights[:, None]
        found, _ = nnls(times, np.array([taken for _, taken in known]) * weights)
        rates[kernel] = tuple(round(float(rate), 3) for rate in found)
    return rates


def shipped_table(core: str) -> InstructionTable:
    """The table of a core that comes with the package, made by benchmarks/instruction_tables.py.

    Raises:
        ValueError: if there is none.
    """
    shipped = shipped_cores()
    if core not in shipped:
        raise ValueError(f"a core must be one of {', '.join(shipped)}, but got {core!r}")
    return _from_json((_folder() / f"{core}.json").read_bytes())


def shipped_cores() -> list[str]:
    """The cores of which a table comes with the package."""
    names = [entry.name for entry in _folder().iterdir()]
    return sorted(name.removesuffix(".json") for name in names if name.endswith(".json"))


def _folder() -> Any:
    return files("nas.measure") / "cores"


def write_instruction_table(table: InstructionTable, path: Path) -> None:
    """Writes a table as JSON.

    Raises:
        OSError: if writing fails.
    """
    durable.write(path, _to_json(table).encode())


def _to_json(table: InstructionTable) -> str:
    head = {"format": FORMAT, "version": VERSION, "core": table.core, "made_by": table.made_by}
    lines = [f' "{name}": {json.dumps(value)}' for name, value in head.items()]
    rates = [f"  {json.dumps(name)}: {json.dumps(rates)}" for name, rates in table.rates.items()]
    counted = [
        f"  {json.dumps([work.kernel, work.times, taken])}" for work, taken in table.counted.items()
    ]
    lines.append(' "rates": {\n' + ",\n".join(rates) + "\n }")
    lines.append(' "counted": [' + ("\n" + ",\n".join(counted) + "\n " if counted else "") + "]")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def read_instruction_table(path: Path) -> InstructionTable:
    """The table in a file that `write_instruction_table` wrote.

    Raises:
        ValueError: if the file is damaged, or of another format or version.
        OSError: if it cannot be read.
    """
    try:
        return _from_json(read_regular(path, MOST_BYTES))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(
            f"{path} must hold an {FORMAT} of version {VERSION}, but does not: {error!r}"
        ) from error


def _from_json(stored: bytes) -> InstructionTable:
    found = json.loads(stored)
    if (found["format"], found["version"]) != (FORMAT, VERSION):
        raise ValueError(f"it is a {found['format']!r} of version {found['version']!r}")
    rates = {str(name): tuple(map(float, rates)) for name, rates in found["rates"].items()}
    counted = {
        Work(str(kernel), tuple(map(int, times))): float(taken)
        for kernel, times, taken in found["counted"]
    }
    for work in counted:
        if len(work.times) != len(rates[work.kernel]):
            raise ValueError(f"{work.kernel} must have as many rates as numbers, but has not")
    return InstructionTable(str(found["core"]), str(found["made_by"]), rates, counted)
