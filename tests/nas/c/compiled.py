"""Programs as C, compiled and compared with the interpreter."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from nas.c import compiler, run_on_host, write_c
from nas.c.examples import drawn_inputs, input_integers, output_integers
from nas.program.program import Program

SAMPLES = 200

WARNINGS = ("-std=c99", "-O2", "-Wall", "-Wextra", "-Wconversion", "-Werror")
SANITIZED = (*WARNINGS, "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")

needs_compiler = pytest.mark.skipif(compiler() is None, reason="there is no C compiler")


def needs(*commands: str) -> pytest.MarkDecorator:
    """Skips a test where a command is not installed, and says which."""
    missing = [command for command in commands if shutil.which(command) is None]
    return pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}")


def assert_same(
    program: Program,
    folder: Path,
    *,
    plain: bool = False,
    flags: Sequence[str] = WARNINGS,
    inputs: torch.Tensor | None = None,
) -> None:
    """Asserts that the C gives the integers of the interpreter, by default on drawn inputs."""
    write_c(program, folder, plain=plain, inputs=inputs)
    inputs = drawn_inputs(program, SAMPLES, 1) if inputs is None else inputs
    integers = input_integers(program.tensors[0], inputs)
    found = run_on_host(folder, integers, program.tensors[-1].size, flags=flags)
    np.testing.assert_array_equal(found, output_integers(program, inputs))
