import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from nas.c import CodeError, to_c, write_c
from nas.c.examples import input_integers
from nas.c.header import string_literal
from nas.c.source import float_literal
from nas.measure.boards import BOARDS
from nas.program.operations import Flatten, Linear, Lut
from nas.program.program import Program
from nas.program.scaling import Scaling
from nas.program.tensors import TensorType
from nas.program.weights import IntegerWeights
from tests.nas.c.compiled import WARNINGS, needs
from tests.nas.c.small_networks import few_channels
from tests.nas.onnx.drawn_programs import Drawn
from tests.nas.onnx.runtime_steps import flattened
from tests.nas.program.small_programs import conv


class Unknown(Lut):
    pass


def wide(terms: int) -> Program:
    """A matrix product of so many terms, each as large as can be."""
    weights = IntegerWeights(np.full((1, terms), 127, np.int8), 8)
    scaling = Scaling(np.ones(1, np.uint16), 40, 0, 255)
    linear = Linear("head", (0,), scaling, weights, np.zeros(1, np.int32))
    return Program((TensorType((terms,), 1.0, 0), TensorType((1,), 1.0, 0)), (linear,))


def test_the_arena_has_the_peak_memory_of_the_program() -> None:
    program = Drawn(0).program(type(conv((1, 1, 1, 1))))
    files = to_c(program)
    assert f"#define MODEL_ARENA_BYTES {program.peak_memory}\n" in files["model.h"]
    assert "malloc" not in files["model.c"]
    included = {line for line in files["model.c"].split("\n") if line.startswith("#include")}
    assert included == {
        '#include "model.h"',
        "#include <string.h>",
        "#include <avr/pgmspace.h>",
        "#include <arm_acle.h>",
        "#include <immintrin.h>",
        "#include <emmintrin.h>",
    }


def test_a_board_says_what_is_unpacked_and_what_fits() -> None:
    program, uno = few_channels(), BOARDS["uno"]
    assert "#define MODEL_SCRATCH_BYTES 0\n" in to_c(program, board=uno)["model.h"]
    assert to_c(program, board=uno)["model.c"] == to_c(program, plain=True)["model.c"]
    assert to_c(program, board=BOARDS["pico"])["model.c"] == to_c(program)["model.c"]
    some = to_c(program, board=replace(uno, unpacked=144))["model.h"]
    assert "#define MODEL_SCRATCH_BYTES 144\n" in some
    small = replace(uno, ram=uno.ram - uno.limits["peak_memory_bytes"] + 175)
    with pytest.raises(ValueError, match="at most 175 bytes of the memory"):
        to_c(program, board=small)


def test_equal_programs_give_equal_files() -> None:
    assert to_c(Drawn(3).program(Linear)) == to_c(Drawn(3).program(Linear))


def test_only_kernels_that_are_called_are_written() -> None:
    text = to_c(Drawn(0).program(Lut))["model.c"]
    assert "struct weights" not in text
    assert "span_of" not in text


def test_an_operation_without_a_form_is_refused_by_name() -> None:
    lut = Unknown("gate", (0,), np.arange(256, dtype=np.uint8))
    program = flattened([TensorType((4,), 1.0, 0), TensorType((4,), 1.0, 0)], lut)
    with pytest.raises(CodeError, match="operation 0, Unknown 'gate': it has no C form"):
        to_c(program)


def test_sums_of_more_than_32_bits_are_refused() -> None:
    to_c(wide(66_000))
    with pytest.raises(CodeError, match=r"Linear 'head': its sums .* must fit 32 bits, but reach"):
        to_c(wide(67_000))


def test_names_must_be_as_many_as_classes(tmp_path: Path) -> None:
    with pytest.raises(CodeError, match="class names must be 12, one for each class, but got 1"):
        write_c(Drawn(0).program(Linear), tmp_path / "new", class_names=["cat"])
    assert not (tmp_path / "new").exists()


def test_constants_of_c_say_the_same() -> None:
    assert string_literal('a"\\?é1') == '"a\\042\\134\\077\\303\\2511"'
    assert float_literal(1.0) == "1.0f"
    assert np.float32(float_literal(0.1)[:-1]) == np.float32(0.1)


@needs("make", "cc")
def test_make_test_runs_the_expected_integers(tmp_path: Path) -> None:
    program = Drawn(1).program(Linear)
    inputs = torch.linspace(-1, 1, 6 * 64 * 3).view(3, 6, 8, 8)
    write_c(program, tmp_path, inputs=inputs, class_names=[f"class {i}" for i in range(12)])
    flags = " ".join(WARNINGS)
    done = subprocess.run(
        ["make", "test", f"CFLAGS={flags}"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "3 of 3 as expected" in done.stdout
    source = (tmp_path / "model_test.c").read_text()
    start = source.index("outputs[COUNT]")
    broken = source[:start] + source[start:].replace("{\n    {", "{\n    {1 ^ ", 1)
    (tmp_path / "model_test.c").write_text(broken)
    failed = subprocess.run(["make", "test"], cwd=tmp_path, capture_output=True, text=True)
    assert failed.returncode != 0
    assert "2 of 3 as expected" in failed.stdout


QUANTIZER = """
#include "model.h"
#include <stdio.h>
int main(void)
{
    float value;
    while (fread(&value, sizeof value, 1, stdin) == 1) {
        putchar(model_quantize(value));
    }
    return 0;
}
"""


@needs("cc")
def test_numbers_become_the_integers_that_the_interpreter_reads(tmp_path: Path) -> None:
    for seed in range(3):
        program = Drawn(seed).program(Flatten)
        first = program.tensors[0]
        write_c(program, tmp_path)
        (tmp_path / "quantizer.c").write_text(QUANTIZER)
        sources = ["quantizer.c", "model.c", "-o", "quantizer"]
        subprocess.run(["cc", *WARNINGS, *sources], cwd=tmp_path, check=True)
        halves = torch.arange(-300, 300, 0.5) * first.scale
        drawn = torch.randn(1320, generator=torch.Generator().manual_seed(seed)) * 100 * first.scale
        extremes = torch.tensor([1e30, -1e30, float("inf"), -float("inf")])
        values = torch.cat([halves, drawn, extremes])
        given = values.numpy().tobytes()
        said = subprocess.run(
            ["./quantizer"], cwd=tmp_path, input=given, capture_output=True
        ).stdout
        vector = TensorType((1,), first.scale, first.zero, first.bits)
        wanted = input_integers(vector, values[:, None])
        np.testing.assert_array_equal(np.frombuffer(said, np.uint8), wanted.ravel())
