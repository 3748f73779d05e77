"""C and .tflite of random designs say what the interpreter says."""

from importlib.util import find_spec

import pytest

from benchmarks.design_agreement import (
    PLAIN_FLAGS,
    REFUSED,
    SANITIZED,
    calibration,
    program_of,
    said_by_c,
    said_by_tflite,
)
from benchmarks.spaces import SPACES
from nas.c.cortex_m import COMPILER, EMULATOR
from nas.seeds import generator
from tests.nas.c.compiled import needs, needs_compiler

has_runtimes = find_spec("ai_edge_litert") is not None and find_spec("tflite_micro") is not None
needs_runtimes = pytest.mark.skipif(not has_runtimes, reason="the extra tflite-test is missing")


def disagreements(name: str, designs: int, side: int, seed: int) -> list[str]:
    """How random designs of a space disagree, in C, from the second on with sanitizers, and in .tflite."""
    rng, inputs, found = generator(seed, name), calibration(SPACES[name], side), list[str]()
    for index in range(designs):
        genotype = SPACES[name].choices.sample(rng)
        program = program_of(SPACES[name], genotype, inputs)
        # The first is compiled without optimizing, which takes a third of the time.
        flags = ("-std=c99", "-O0") if index == 0 else SANITIZED
        said_c = said_by_c(program, flags, emulated=False)
        said_tflite = said_by_tflite(program) if has_runtimes else ()
        for runtime, how in (*said_c, *said_tflite):
            if how and not how.startswith(REFUSED):
                found.append(f"{genotype}: {runtime}: {how}")
    return found


@needs_compiler
@pytest.mark.parametrize("name", SPACES)
def test_a_design_agrees(name: str) -> None:
    assert disagreements(name, designs=1, side=8, seed=3) == []


@pytest.mark.slow
@needs_compiler
@needs_runtimes
@pytest.mark.parametrize("name", SPACES)
def test_many_designs_agree(name: str) -> None:
    assert disagreements(name, designs=30, side=16, seed=4) == []


@pytest.mark.slow
@needs("cc", COMPILER, EMULATOR)
@pytest.mark.parametrize("name", SPACES)
def test_designs_agree_on_a_cortex_m4(name: str) -> None:
    program = program_of(
        SPACES[name],
        SPACES[name].choices.sample(generator(5, name)),
        calibration(SPACES[name], 16),
    )
    found = dict(said_by_c(program, PLAIN_FLAGS, emulated=True))
    assert found == {"C": "", "C on a Cortex-M4": ""}
