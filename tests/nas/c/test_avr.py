"""The same integers where an int has 16 bits, and tables are read from flash."""

import re
import subprocess
from pathlib import Path

import pytest

from nas.c import write_c
from nas.c.avr import COMPILER, EMULATOR, PROCESSOR, run_on_avr, stack_on_avr
from nas.c.examples import drawn_inputs, input_integers, output_integers, rows
from nas.c.templates import template
from nas.measure.boards import NEEDS, board
from nas.program.program import Program
from tests.nas.c.compiled import SAMPLES, needs
from tests.nas.c.small_networks import few_channels, perceptron

pytestmark = needs(COMPILER, EMULATOR)


def assert_same(program: Program, folder: Path, samples: int, plain: bool) -> None:
    write_c(program, folder, plain=plain)
    inputs = drawn_inputs(program, samples, 2)
    given, wanted = input_integers(program.tensors[0], inputs), output_integers(program, inputs)
    values = {"count": samples, "inputs": rows(given.tolist()), "outputs": rows(wanted.tolist())}
    said = run_on_avr(folder, template("model_test.c", values), flags=("-Wall", "-Wextra"))
    assert f"{samples} of {samples} as expected" in said


def memory(folder: Path, ram: int) -> subprocess.CompletedProcess[str]:
    flags = f"-Os -mmcu={PROCESSOR}"
    command = [
        "make",
        "-C",
        str(folder),
        "memory",
        f"CC={COMPILER}",
        f"CFLAGS={flags}",
        f"RAM={ram}",
    ]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("plain", [False, True])
def test_a_perceptron_gives_the_integers_of_the_interpreter(plain: bool, tmp_path: Path) -> None:
    assert_same(perceptron(4), tmp_path, 20, plain)


@pytest.mark.slow
@pytest.mark.parametrize("plain", [False, True])
def test_a_convolutional_network_gives_the_integers(plain: bool, tmp_path: Path) -> None:
    assert_same(few_channels(), tmp_path, SAMPLES, plain)


@needs("make")
def test_make_tells_the_memory_that_is_needed(tmp_path: Path) -> None:
    program = few_channels()
    write_c(program, tmp_path, board=board("uno"))
    said = memory(tmp_path, 2048)
    assert said.returncode == 0
    found = re.search(r"(\d+) bytes: (\d+) of .*, (\d+) of .*, (\d+) of stack", said.stdout)
    assert found is not None
    whole, arena, unpacked, stack = map(int, found.groups())
    assert (arena, unpacked, whole) == (program.peak_memory, 0, arena + stack)
    assert stack_on_avr(tmp_path) <= min(stack, NEEDS["AVR"].stack)
    said = memory(tmp_path, whole - 1)
    assert said.returncode != 0
    assert f"{whole - 1} bytes of RAM are too few" in said.stdout


def test_structures_take_no_memory_beside_the_stack(tmp_path: Path) -> None:
    write_c(few_channels(), tmp_path)
    target = tmp_path / "model.o"
    flags = [f"-mmcu={PROCESSOR}", "-std=c99", "-Os", "-c"]
    subprocess.run([COMPILER, *flags, str(tmp_path / "model.c"), "-o", str(target)], check=True)
    said = subprocess.run(
        ["avr-size", "-A", str(target)], capture_output=True, text=True, check=True
    ).stdout
    assert ".rodata" not in said
    assert re.search(r"\.data\s+0\s", said)
