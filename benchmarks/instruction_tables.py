"""The tables of instructions that ship, and how well they predict networks that they were not made of:
`python -m benchmarks.instruction_tables --write`.

Instructions of the kernels are counted by QEMU within random designs of every space, with random weights, on images of 8x8 to
20x20 pixels and signals of 64 to 128 steps. Errors are those of whole networks, the count without marks, on designs that are drawn
after those of the table.
"""

import argparse
import tempfile
from importlib.resources import files
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from benchmarks.design_agreement import program_of
from benchmarks.spaces import SPACES
from nas.c import write_c
from nas.c.cortex_m import CORES, instructions
from nas.measure.instruction_profile import count_instruction_table
from nas.measure.instruction_table import InstructionTable, shipped_table, write_instruction_table
from nas.program import Program
from nas.seeds import generator
from nas.threads import one_thread

SIDES, CALIBRATION = (8, 12, 16, 20), 8
TESTED = ("ConvBlocks", "DsCnn")


def samples(name: str, index: int) -> Tensor:
    """Random inputs for a space, of a size that changes from design to design."""
    side, channels = SIDES[index % len(SIDES)], 1 + 2 * (index % 2)
    shape = (channels, 16 * side // 3) if name == "Temporal" else (channels, side, side)
    return torch.rand(CALIBRATION, *shape, generator=torch.Generator().manual_seed(0))


def drawn(name: str, count: int, seed: int) -> list[Program]:
    """Random designs of a space."""
    choices, rng = SPACES[name].choices, generator(seed, name)
    return [
        program_of(SPACES[name], choices.sample(rng), samples(name, index))
        for index in range(count)
    ]


def counted(program: Program, core: str) -> int:
    """The instructions of a whole network."""
    with tempfile.TemporaryDirectory() as made:
        write_c(program, Path(made))
        return instructions(Path(made), CORES[core])


def error_row(name: str, core: str, table: InstructionTable, programs: list[Program]) -> str:
    """A line: how far the instructions of a table are from those counted."""
    counts = np.array([counted(program, core) for program in programs], float)
    predicted = np.array([table.instructions(program) for program in programs])
    errors = predicted / counts - 1
    order = float(np.corrcoef(counts.argsort().argsort(), predicted.argsort().argsort())[0, 1])
    cells = (
        *(f"`{name}`", core, f"{len(programs)}", f"{counts.min():,.0f} – {counts.max():,.0f}"),
        *(
            f"{np.median(np.abs(errors)):.1%}",
            f"{np.abs(errors).max():.1%}",
            f"{errors.mean():+.1%}",
        ),
        f"{order:.3f}",
    )
    return f"| {' | '.join(cells)} |"


@one_thread()
def main() -> None:
    """Writes the tables, or prints their errors."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cores", nargs="+", choices=CORES, default=["cortex-m4"])
    parser.add_argument("--write", action="store_true", help="count the tables again")
    parser.add_argument("--designs", type=int, default=8, help="of each space, for the tables")
    parser.add_argument("--tested", type=int, default=20, help="of ConvBlocks and of DsCnn")
    options = parser.parse_args()
    if options.write:
        programs = [each for name in SPACES for each in drawn(name, options.designs, 0)]
        for core in options.cores:
            found = count_instruction_table(programs, core)
            table = InstructionTable(core, found.made_by, found.rates, {})
            path = Path(str(files("nas.measure") / "cores" / f"{core}.json"))
            write_instruction_table(table, path)
            print(f"{path.name}: {len(table.rates)} kernels, {path.stat().st_size:,} bytes")
    print(
        "| designs of | core | how many | instructions | error, median | largest | mean | order |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for name in TESTED:
        programs = drawn(name, options.tested, 1)
        for core in options.cores:
            print(error_row(name, core, shipped_table(core), programs), flush=True)


if __name__ == "__main__":
    main()
