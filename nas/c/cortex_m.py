"""Written C on Cortex-M processors that QEMU emulates."""

import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from nas.c.folder import write_c
from nas.c.host import checked
from nas.c.model_source import model_source
from nas.c.templates import template
from nas.program.program import Program

COMPILER, EMULATOR = "arm-none-eabi-gcc", "qemu-system-arm"


@dataclass(frozen=True)
class Core:
    """A processor, and the board with it that the emulator knows."""

    cpu: str
    board: str


CORES: Mapping[str, Core] = {
    "cortex-m3": Core("cortex-m3", "mps2-an385"),
    "cortex-m4": Core("cortex-m4", "mps2-an386"),
    "cortex-m7": Core("cortex-m7", "mps2-an500"),
}
"""Emulated processors by name: without and with dual multiplications."""


def missing() -> list[str]:
    """The commands that are needed and not installed."""
    return [command for command in (COMPILER, EMULATOR) if shutil.which(command) is None]


def linked(folder: Path, main: str, core: Core, target: Path, flags: tuple[str, ...] = ()) -> None:
    """Links the C of a folder and the text of its main function for a core.

    Raises:
        ValueError: if that fails, with what was said.
    """
    with tempfile.TemporaryDirectory() as made:
        here = Path(made)
        (here / "main.c").write_text(main, encoding="utf-8")
        for name in ("cortex_m_start.c", "cortex_m.ld"):
            (here / name).write_text(template(name), encoding="utf-8")
        sources = [str(folder / "model.c"), str(here / "main.c"), str(here / "cortex_m_start.c")]
        given = [f"-mcpu={core.cpu}", "-mthumb", "-std=c99", "-O2", "-ffunction-sections", *flags]
        ends = [
            "--specs=rdimon.specs",
            "-nostartfiles",
            "-Wl,--gc-sections",
            "-T",
            str(here / "cortex_m.ld"),
        ]
        checked([COMPILER, *given, "-I", str(folder), *sources, *ends, "-o", str(target)])


def run_on_cortex_m(
    folder: Path, main: str, core: Core, *, flags: tuple[str, ...] = (), seconds: float = 120.0
) -> str:
    """What the C of a folder prints with this main function on an emulated core.

    One instruction is one nanosecond of the emulated time.

    Raises:
        ValueError: if it does not compile, runs for longer than `seconds`, or fails.
    """
    with tempfile.TemporaryDirectory() as made:
        binary = Path(made) / "model.elf"
        linked(folder, main, core, binary, flags)
        command = [
            EMULATOR,
            "-M",
            core.board,
            "-kernel",
            str(binary),
            "-nographic",
            "-monitor",
            "none",
        ]
        counted = ["-semihosting-config", "enable=on,target=native", "-icount", "shift=0"]
        try:
            return checked([*command, *counted], seconds=seconds).decode()
        except subprocess.TimeoutExpired as error:
            raise ValueError(
                f"the emulated {core.cpu} must end in {seconds:g} s, but runs on"
            ) from error


def instructions(folder: Path, core: Core) -> int:
    """How many instructions one inference takes on a core, to the next 40.

    The emulator counts each instruction as one, whatever the processor needs for it.

    Raises:
        ValueError: as `run_on_cortex_m`.
    """
    return int(run_on_cortex_m(folder, template("cortex_m_count.c"), core))


def instructions_of_steps(program: Program, core: Core) -> list[int]:
    """How many instructions one inference takes on a core beside its steps, and each step, as
    `nas.c.work.works` lists them, to the next 40.

    Raises:
        CodeError: if the program has no C form.
        ValueError: as `run_on_cortex_m`.
    """
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        write_c(program, folder)
        marked = model_source(program, plain=False, marked=True)
        (folder / "model.c").write_text(marked.text, encoding="utf-8")
        main = template("cortex_m_steps.c", {"steps": len(program.operations) * 2 + 2})
        whole, *steps = map(int, run_on_cortex_m(folder, main, core).split())
    return [max(0, whole - sum(steps)), *steps]
