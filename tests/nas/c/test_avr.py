"""The same integers where an int has 16 bits, and tables are read from flash."""

from pathlib import Path

import pytest

from nas.c import write_c
from nas.c.avr import COMPILER, EMULATOR, run_on_avr
from nas.c.examples import drawn_inputs, input_integers, output_integers, rows
from nas.c.templates import template
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


@pytest.mark.parametrize("plain", [False, True])
def test_a_perceptron_gives_the_integers_of_the_interpreter(plain: bool, tmp_path: Path) -> None:
    assert_same(perceptron(4), tmp_path, 20, plain)


@pytest.mark.slow
@pytest.mark.parametrize("plain", [False, True])
def test_a_convolutional_network_gives_the_integers(plain: bool, tmp_path: Path) -> None:
    assert_same(few_channels(), tmp_path, SAMPLES, plain)
