"""Written C on an emulated ATmega328P, the processor of an Arduino Uno: 32 KiB of flash, 2 KiB of RAM."""

import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from nas.c.host import checked
from nas.c.templates import template

COMPILER, EMULATOR, PROCESSOR = "avr-gcc", "simavr", "atmega328p"
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def missing() -> list[str]:
    """The commands that are needed and not installed."""
    return [command for command in (COMPILER, EMULATOR) if shutil.which(command) is None]


def run_on_avr(
    folder: Path, main: str, *, flags: tuple[str, ...] = (), seconds: float = 120.0
) -> str:
    """What the C of a folder prints with this main function.

    Raises:
        ValueError: if it does not compile or fit, runs for longer than `seconds`, or fails.
    """
    with tempfile.TemporaryDirectory() as made:
        here = Path(made)
        binary = here / "model.elf"
        (here / "main.c").write_text(main, encoding="utf-8")
        (here / "avr_output.c").write_text(template("avr_output.c"), encoding="utf-8")
        sources = [str(folder / "model.c"), str(here / "main.c"), str(here / "avr_output.c")]
        given = [f"-mmcu={PROCESSOR}", "-std=c99", "-Os", *flags]
        checked([COMPILER, *given, "-I", str(folder), *sources, "-o", str(binary)])
        command = [EMULATOR, "-m", PROCESSOR, "-f", "16000000", str(binary)]
        try:
            said = checked(command, seconds=seconds, with_errors=True)
        except subprocess.TimeoutExpired as error:
            raise ValueError(
                f"the emulated AVR must end in {seconds:g} s, but runs on: a stack that met the arena "
                "does that, of which make memory tells"
            ) from error
    return _COLOURS.sub("", said.decode(errors="replace"))


def stack_on_avr(folder: Path) -> int:
    """The bytes of stack that one inference takes, with its caller and without interrupts.

    Raises:
        ValueError: as `run_on_avr`.
    """
    said = run_on_avr(folder, template("avr_stack.c"))
    found = re.search(r"(\d+) bytes", said)
    if found is None:
        raise ValueError(f"the emulated AVR must say the bytes of its stack, but said {said!r}")
    return int(found[1])
