"""Arm's Ethos-U processors for networks, by the estimates of their compiler Vela."""

import csv
import dataclasses
import math
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from nas.program.program import Program

Configuration = Literal[
    "ethos-u55-32",
    "ethos-u55-64",
    "ethos-u55-128",
    "ethos-u55-256",
    "ethos-u65-256",
    "ethos-u65-512",
]


@dataclass(frozen=True)
class NpuCosts:
    """What one inference takes: `cycles` at `clock` Hz, bytes of `sram` for activations and of `flash`
    for weights and commands.

    `cpu_operators` are those that Vela leaves to the processor beside the NPU, whose time is not in
    `cycles`.
    """

    cycles: int
    clock: float
    sram: int
    flash: int
    cpu_operators: int


@dataclass(frozen=True)
class EthosU:
    """An Ethos-U, whose costs are those that Vela (`pip install 'compact-nas[ethos]'`) estimates of the
    .tflite file that rounds twice, as the NPU does. A program takes some seconds.

    `system` and `memory_mode` are names in Vela's configuration file, by default Vela's own choice
    for the configuration.

    Raises:
        ValueError: if Vela or what writes .tflite files is not installed.
    """

    configuration: Configuration = "ethos-u55-128"
    system: str | None = None
    memory_mode: str | None = None

    def __post_init__(self) -> None:
        missing = [name for name in ("ethosu", "flatbuffers", "tflite") if find_spec(name) is None]
        if missing:
            raise ValueError(
                f"an Ethos-U needs the packages {' and '.join(missing)}, but they are not installed: "
                "pip install 'compact-nas[ethos]'"
            )

    @property
    def name(self) -> str:
        """The configuration."""
        return self.configuration

    def latency(self, program: Program) -> float:
        """The seconds of one inference, without those of operators that are left to the processor.

        Raises:
            ValueError: if Vela refuses the network or the configuration.
        """
        found = self.costs(program)
        return found.cycles / found.clock

    def costs(self, program: Program) -> NpuCosts:
        """What Vela says of a program.

        Raises:
            ValueError: if it refuses the network or the configuration.
        """
        from nas.tflite import to_tflite

        options = ["--accelerator-config", self.configuration]
        options += [] if self.system is None else ["--system-config", self.system]
        options += [] if self.memory_mode is None else ["--memory-mode", self.memory_mode]
        with tempfile.TemporaryDirectory() as made:
            folder, model = Path(made), Path(made) / "network.tflite"
            model.write_bytes(to_tflite(_without_last_scale(program), rounding="double"))
            command = [sys.executable, "-m", "ethosu.vela", "--output-dir", made, *options]
            done = subprocess.run(
                [*command, str(model)], capture_output=True, text=True, check=False
            )
            summaries = list(folder.glob("*_summary_*.csv"))
            if done.returncode != 0 or not summaries:
                raise ValueError(f"Vela must accept a network, but says: {_end_of(done.stderr)}")
            with summaries[0].open(newline="", encoding="utf-8") as file:
                (row,) = csv.DictReader(file)
        left = re.search(r"CPU operators = (\d+)", done.stdout)
        flash = float(row["off_chip_flash_memory_used"]) + float(row["on_chip_flash_memory_used"])
        return NpuCosts(
            cycles=int(float(row["cycles_total"])),
            clock=float(row["core_clock"]),
            sram=round(1024 * float(row["sram_memory_used"])),
            flash=round(1024 * flash),
            cpu_operators=0 if left is None else int(left[1]),
        )


def _without_last_scale(program: Program) -> Program:
    """The same integers, told to have an output scale near the program's that needs no operator: Vela
    takes no reshape that tells another one.
    """
    first, last = program.tensors[0], program.tensors[-1]
    near = first.scale * 2.0 ** round(math.log2(last.scale / first.scale))
    told = dataclasses.replace(last, scale=near)
    return dataclasses.replace(program, tensors=(*program.tensors[:-1], told))


def _end_of(said: str) -> str:
    """The last lines of an error, which name it."""
    return " ".join(said.strip().splitlines()[-4:])
