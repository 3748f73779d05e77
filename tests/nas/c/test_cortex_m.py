"""The same integers on emulated processors without and with dual multiplications."""

from pathlib import Path

import pytest

from nas.c import write_c
from nas.c.cortex_m import COMPILER, CORES, EMULATOR, instructions, run_on_cortex_m
from nas.c.examples import drawn_inputs, input_integers, output_integers, rows
from nas.c.templates import template
from nas.program.operations import Add, AvgPool, Conv, EdgeAvgPool, Linear, Mul, Operation, PRelu
from nas.program.program import Program
from tests.nas.c.compiled import SAMPLES, needs
from tests.nas.c.small_networks import convolutional, perceptron
from tests.nas.onnx.drawn_programs import OPERATIONS, Drawn

pytestmark = needs(COMPILER, EMULATOR)

FLAGS = ("-Wall", "-Wextra", "-Wconversion", "-Werror")


def assert_same(program: Program, folder: Path, core: str, samples: int, plain: bool) -> None:
    write_c(program, folder, plain=plain)
    inputs = drawn_inputs(program, samples, 2)
    given, wanted = input_integers(program.tensors[0], inputs), output_integers(program, inputs)
    values = {"count": samples, "inputs": rows(given.tolist()), "outputs": rows(wanted.tolist())}
    main = template("model_test.c", values)
    said = run_on_cortex_m(folder, main, CORES[core], flags=FLAGS)
    assert said.strip() == f"{samples} of {samples} as expected"


@pytest.mark.parametrize("core", ["cortex-m3", "cortex-m4"])
@pytest.mark.parametrize("plain", [False, True])
def test_a_network_gives_the_integers_of_the_interpreter(
    core: str, plain: bool, tmp_path: Path
) -> None:
    assert_same(convolutional(), tmp_path, core, SAMPLES, plain)


@pytest.mark.slow
@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("kind", OPERATIONS, ids=lambda kind: kind.__name__)
def test_operations_give_the_integers_of_the_interpreter(
    kind: type[Operation], core: str, tmp_path: Path
) -> None:
    for seed in range(2 if kind in (Add, AvgPool, Conv, EdgeAvgPool, Linear, Mul, PRelu) else 1):
        program = Drawn(seed).program(kind)
        assert_same(program, tmp_path / str(seed), core, SAMPLES, plain=seed == 1)


def test_instructions_are_counted(tmp_path: Path) -> None:
    program = perceptron()
    write_c(program, tmp_path, plain=True)
    found = {core: instructions(tmp_path, CORES[core]) for core in ("cortex-m3", "cortex-m4")}
    assert program.macs < found["cortex-m4"] < found["cortex-m3"] < 20 * program.macs
    assert instructions(tmp_path, CORES["cortex-m4"]) == found["cortex-m4"]
