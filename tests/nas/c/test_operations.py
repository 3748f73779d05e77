from pathlib import Path

import numpy as np
import pytest

from nas.c.model_source import WRITERS, model_source
from nas.program.operations import Conv, Flatten, Linear, Operation, Reshape
from nas.program.program import Program
from tests.nas.c.compiled import SANITIZED, WARNINGS, assert_same, needs_compiler
from tests.nas.c.small_networks import convolutional
from tests.nas.onnx.drawn_programs import OPERATIONS, Drawn
from tests.nas.program_builder import APPEND, Builder, numbers_from

pytestmark = needs_compiler


def grown(seed: int) -> Program:
    """A program of some operations, on an image or a vector."""
    builder = Builder(((3, 5, 4), (4, 6, 6), (7,))[seed % 3], numbers_from(seed))
    kinds = list(APPEND)
    for kind in np.random.default_rng(seed).permutation(len(kinds))[:8]:
        builder.grow(kinds[kind])
    return builder.program()


def test_every_operation_is_written_or_a_view() -> None:
    assert {*WRITERS, Flatten, Reshape} == set(OPERATIONS)


@pytest.mark.parametrize("kind", OPERATIONS, ids=lambda kind: kind.__name__)
def test_an_operation_gives_the_integers_of_the_interpreter(
    kind: type[Operation], tmp_path: Path
) -> None:
    assert_same(Drawn(5).program(kind), tmp_path)


@pytest.mark.parametrize("seed", [1, 6])
def test_random_programs_run_without_undefined_behaviour(seed: int, tmp_path: Path) -> None:
    assert_same(grown(seed), tmp_path, flags=SANITIZED)


@pytest.mark.slow
@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize("kind", OPERATIONS, ids=lambda kind: kind.__name__)
def test_many_operations_give_the_integers_of_the_interpreter(
    kind: type[Operation], plain: bool, tmp_path: Path
) -> None:
    for seed in range(8):
        program = Drawn(seed, affine=seed % 3 == 0).program(kind)
        assert_same(program, tmp_path / str(seed), plain=plain, flags=SANITIZED)


@pytest.mark.slow
def test_many_random_programs_give_the_integers_of_the_interpreter(tmp_path: Path) -> None:
    fits = 0
    for seed in range(100):
        program, plain = grown(seed), seed % 2 == 1
        assert_same(program, tmp_path / str(seed), plain=plain, flags=SANITIZED)
        fits += model_source(program, plain).arena_bytes == program.peak_memory
    assert fits >= 95


def has_wide_vectors() -> bool:
    info = Path("/proc/cpuinfo")
    return info.exists() and " avx2 " in info.read_text()


@pytest.mark.skipif(not has_wide_vectors(), reason="this processor has no AVX2")
@pytest.mark.parametrize("plain", [False, True])
def test_wide_vectors_give_the_integers_of_the_interpreter(plain: bool, tmp_path: Path) -> None:
    assert_same(convolutional(), tmp_path, plain=plain, flags=(*WARNINGS, "-mavx2"))


@pytest.mark.slow
@pytest.mark.skipif(not has_wide_vectors(), reason="this processor has no AVX2")
def test_drawn_layers_give_the_integers_in_wide_vectors(tmp_path: Path) -> None:
    for seed in range(12):
        program = Drawn(seed, affine=seed % 3 == 0).program((Conv, Linear)[seed % 4 == 3])
        flags = (*SANITIZED, "-mavx2")
        assert_same(program, tmp_path / str(seed), plain=seed % 2 == 1, flags=flags)
