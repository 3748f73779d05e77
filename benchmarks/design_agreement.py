"""How C, LiteRT and TensorFlow Lite Micro agree with the interpreter on random designs of every space:
`python -m benchmarks.design_agreement --designs 100`.

Weights are random. A design agrees if all its outputs on so many drawn inputs are the interpreter's integers, and those of
TensorFlow Lite Micro the ones that the interpreter gives when it rounds twice. Every tenth C is compiled with the sanitizers
of addresses and undefined behaviour. What .tflite cannot say with one rounding is refused, and counted apart. A round takes one
design of each space.
"""

import argparse
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.spaces import SPACES, example_for
from compressors.low_rank import LowRank
from compressors.pruning import ChannelPruning
from compressors.quantization import Quantization
from nas.c import run_on_host, write_c
from nas.c.cortex_m import CORES, run_on_cortex_m
from nas.c.cortex_m import missing as missing_for_cortex_m
from nas.c.examples import drawn_inputs, input_integers, output_integers
from nas.compress import compress
from nas.lowering import lower, snapped
from nas.measure.parity import parity
from nas.program import Program
from nas.program.rounding import Rounding
from nas.seeds import generator, seeded
from nas.space import Genotype, SearchSpace
from nas.tflite import to_tflite
from nas.tflite.runtimes import run_litert, run_micro
from nas.threads import one_thread
from nas.tracing.unsupported import UnsupportedError

CLASSES, CALIBRATION, INPUTS, REFUSED = 10, 16, 20, "refused"
RUNTIMES: tuple[tuple[str, Rounding, Callable[..., NDArray[np.float32]]], ...] = (
    ("LiteRT", "single", run_litert),
    ("TensorFlow Lite Micro", "double", run_micro),
)
COMPARED = ("C", "C on a Cortex-M4", *(name for name, _, _ in RUNTIMES))
PLAIN_FLAGS = ("-std=c99", "-O2")
SANITIZED = ("-std=c99", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")


def calibration(space: SearchSpace, side: int) -> Tensor:
    """Random inputs: signals of 128 steps, or images of so many pixels a side."""
    shape = tuple(example_for(space).shape[1:])
    shape = shape if len(shape) == 2 else (shape[0], side, side)
    return torch.rand(CALIBRATION, *shape, generator=torch.Generator().manual_seed(0))


def program_of(space: SearchSpace, genotype: Genotype, inputs: Tensor) -> Program:
    """A design with random weights, calibrated on inputs."""
    design = space.choices.decode(genotype)
    kinds = {choice.kind for choice in space.choices}
    used = [part for part in (ChannelPruning(), LowRank(), Quantization()) if part.kind in kinds]
    with seeded(0):
        model = compress(space.build(design, inputs, CLASSES), design, used, inputs)
    return lower(snapped(model.eval()), inputs)


def said_by_c(program: Program, flags: Sequence[str], emulated: bool) -> Iterator[tuple[str, str]]:
    """Where the C was run, compiled for this host with flags, and an empty string or how it disagrees."""
    inputs = drawn_inputs(program, INPUTS, 1)
    given, wanted = input_integers(program.tensors[0], inputs), output_integers(program, inputs)
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        write_c(program, folder, inputs=inputs)
        said = run_on_host(folder, given, program.tensors[-1].size, flags=flags)
        wrong = int((said != wanted).sum())
        yield "C", f"{wrong} of {wanted.size} integers" if wrong else ""
        if emulated:
            main = (folder / "model_test.c").read_text()
            try:
                run_on_cortex_m(folder, main, CORES["cortex-m4"], seconds=600)
                yield "C on a Cortex-M4", ""
            except ValueError as error:
                yield "C on a Cortex-M4", str(error)


def said_by_tflite(program: Program) -> Iterator[tuple[str, str]]:
    """The runtimes, and an empty string or how they disagree."""
    inputs = drawn_inputs(program, INPUTS, 1)
    for name, rounding, run in RUNTIMES:
        try:
            said = run(to_tflite(program, rounding=rounding), inputs.numpy())
        except UnsupportedError as error:
            yield name, f"{REFUSED}: {error}"
            continue
        differing = parity(program, inputs, said, rounding).differing
        yield name, f"{differing:.2%} of logits" if differing else ""


@one_thread()
def main() -> None:
    """Prints what disagrees, and at the end a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--designs", type=int, default=100, help="of each space")
    parser.add_argument("--emulated", type=int, default=20, help="of them on a Cortex-M4")
    parser.add_argument("--side", type=int, default=16, help="pixels of images")
    parser.add_argument("--spaces", nargs="+", choices=SPACES, default=[*SPACES])
    options = parser.parse_args()
    rngs = {name: generator(0, name) for name in options.spaces}
    samples = {name: calibration(SPACES[name], options.side) for name in options.spaces}
    tried, agreed, refused = (Counter[tuple[str, str]]() for _ in range(3))
    emulates = not missing_for_cortex_m()
    for index in range(options.designs):
        for name in options.spaces:
            genotype = SPACES[name].choices.sample(rngs[name])
            program = program_of(SPACES[name], genotype, samples[name])
            emulated = emulates and index < options.emulated
            said_c = said_by_c(program, PLAIN_FLAGS if index % 10 else SANITIZED, emulated)
            for kind, how in (*said_c, *said_by_tflite(program)):
                refused[name, kind] += how.startswith(REFUSED)
                tried[name, kind] += not how.startswith(REFUSED)
                agreed[name, kind] += not how
                if how:
                    print(f"{name} {genotype}: {kind}: {how}", flush=True)
        print(f"round {index + 1}: {agreed.total()} of {tried.total()}", flush=True)
    print(f"| space | {' | '.join(COMPARED)} |\n{'|---' * (len(COMPARED) + 1)}|")
    for name in options.spaces:
        cells = [
            f"{agreed[name, kind]} of {tried[name, kind]}"
            + (f", {refused[name, kind]} refused" if refused[name, kind] else "")
            for kind in COMPARED
        ]
        print(f"| `{name}` | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
