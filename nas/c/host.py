"""Written C, compiled and run on this host."""

import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from nas.c.examples import input_integers
from nas.c.templates import template
from nas.program.program import Program

FLAGS = ("-std=c99", "-O2")


def compiler() -> str | None:
    """The C compiler of this host, None if it has none."""
    return shutil.which("cc") or shutil.which("gcc")


def run_on_host(
    folder: Path,
    inputs: NDArray[np.uint8],
    classes: int,
    *,
    flags: Sequence[str] = FLAGS,
    command: str | None = None,
) -> NDArray[np.uint8]:
    """The outputs, uint8 [N, classes], that the C of a folder gives for inputs, uint8 [N, size], in
    the order that its header says.

    `command` is a C compiler, by default that of this host.

    Raises:
        ValueError: if there is no compiler, or the compiled program fails; with what was said.
    """
    command = command or compiler()
    if command is None:
        raise ValueError("running C needs a compiler, cc or gcc, but there is none")
    with tempfile.TemporaryDirectory() as made:
        runner, binary = Path(made) / "runner.c", Path(made) / "runner"
        runner.write_text(template("runner.c"), encoding="utf-8")
        sources = [str(runner), str(folder / "model.c")]
        checked([command, *flags, "-I", str(folder), "-o", str(binary), *sources])
        found = checked([str(binary)], inputs.tobytes())
    return np.frombuffer(found, np.uint8).reshape(len(inputs), classes)


def said_on_host(program: Program, folder: Path, inputs: torch.Tensor) -> NDArray[np.float32]:
    """The logits, float32 [N, classes], that the C of a program gives for inputs, float32 [N, …].

    Raises:
        ValueError: as `run_on_host`.
    """
    last = program.tensors[-1]
    found = run_on_host(folder, input_integers(program.tensors[0], inputs), last.size)
    steps = found.astype(np.float32) - np.float32(last.zero)
    return steps * np.float32(last.scale)


def checked(
    command: Sequence[str],
    given: bytes | None = None,
    seconds: float | None = None,
    with_errors: bool = False,
) -> bytes:
    """What a command writes to its standard output, and with_errors also to that of errors.

    Raises:
        ValueError: if it fails, with what it said.
        TimeoutExpired: if it runs for longer than `seconds`.
    """
    done = subprocess.run(command, input=given, capture_output=True, check=False, timeout=seconds)
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace")[-4000:]
        raise ValueError(f"{Path(command[0]).name} failed with status {done.returncode}: {said}")
    return done.stdout + done.stderr if with_errors else done.stdout
