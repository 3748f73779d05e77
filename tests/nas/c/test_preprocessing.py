"""Raw values in C become the integers that Python gives."""

import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from nas.c import compiler, to_c, write_c
from nas.c.examples import input_integers
from nas.preprocessing import RAW_KINDS, Preprocessing
from nas.program.operations import Flatten
from nas.program.program import Program
from nas.program.tensors import TensorType
from tests.nas.c.compiled import WARNINGS, needs_compiler

MAIN = """#include "model.h"
#include <stdio.h>

int main(void)
{
    static model_raw raw[MODEL_INPUT_SIZE];
    static uint8_t input[MODEL_INPUT_SIZE];

    while (fread(raw, sizeof raw[0], MODEL_INPUT_SIZE, stdin) == MODEL_INPUT_SIZE) {
        model_prepare(raw, input);
        if (fwrite(input, 1, sizeof input, stdout) != sizeof input) {
            return 1;
        }
    }
    return 0;
}
"""


def image_of(shape: tuple[int, ...], scale: float, zero: int) -> Program:
    """A program that reads such an input."""
    first = TensorType(shape, float(np.float32(scale)), zero)
    last = TensorType((first.size,), first.scale, zero)
    return Program((first, last), (Flatten("flatten", (0,)),))


def prepared_in_c(
    program: Program, one: Preprocessing, raw: NDArray[np.generic], folder: Path
) -> NDArray[np.uint8]:
    write_c(program, folder, preprocessing=one)
    (folder / "main.c").write_text(MAIN)
    command = [compiler() or "cc", *WARNINGS, f"-I{folder}", "-o", str(folder / "main")]
    subprocess.run([*command, str(folder / "main.c"), str(folder / "model.c")], check=True)
    last = np.ascontiguousarray(np.moveaxis(raw, 1, -1))
    done = subprocess.run([folder / "main"], input=last.tobytes(), capture_output=True, check=True)
    return np.frombuffer(done.stdout, np.uint8).reshape(len(raw), -1)


@needs_compiler
@pytest.mark.parametrize(
    ("one", "scale", "zero"),
    [
        (Preprocessing("uint8"), 1 / 255, 0),
        (Preprocessing("uint8", deviation=(16.0,)), 1 / 64, 3),
        (Preprocessing("uint8", (128.0, 64.0, 0.0), (64.0, 32.0, 256.0)), 1 / 32, 120),
        (Preprocessing("int16"), 1 / 128, 128),
        (Preprocessing("float32", (5.0,), (2.0,), 1.5), 1 / 64, 128),
    ],
)
def test_raw_values_become_the_integers_of_the_interpreter(
    one: Preprocessing, scale: float, zero: int, tmp_path: Path
) -> None:
    program = image_of((3, 4, 5), scale, zero)
    dtype, rng = np.dtype(one.raw), np.random.default_rng(0)
    if one.raw == "float32":
        raw = rng.normal(5.0, 4.0, (20, 3, 4, 5)).astype(dtype)
        raw[0, 0, 0, :3] = np.nan, np.inf, -np.inf
    else:
        low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
        raw = rng.integers(low, high, (20, 3, 4, 5), dtype, endpoint=True)
    wanted = input_integers(program.tensors[0], torch.from_numpy(one.apply(raw)))
    np.testing.assert_array_equal(prepared_in_c(program, one, raw, tmp_path), wanted)


def test_each_feature_has_constants_whose_bytes_are_counted() -> None:
    program = image_of((4,), 1 / 32, 128)
    one = Preprocessing("float32", (1.0, 2.0, 3.0, 0.1))
    files, bare = to_c(program, preprocessing=one), to_c(program)
    assert "extern const float model_mean[MODEL_MEANS];" in files["model.h"]
    assert "    0.100000001f,\n" in files["model.c"]
    sizes = [
        int(each["model.h"].split("MODEL_TABLE_BYTES ")[1].split()[0]) for each in (bare, files)
    ]
    assert sizes[1] - sizes[0] == 32
    assert "model_prepare" not in bare["model.h"] + bare["model.c"]


def test_preprocessing_of_other_channels_is_refused() -> None:
    one = Preprocessing(RAW_KINDS[0], (1.0, 2.0))
    with pytest.raises(ValueError, match="each of 3 channels or features, but has 2"):
        to_c(image_of((3, 4, 5), 1.0, 0), preprocessing=one)
