"""`nas profile`: a table of latencies of this host, or of instructions of a core, for a search."""

from collections.abc import Sequence
from pathlib import Path

from nas.c.cortex_m import CORES
from nas.cli.command_parser import EXPERIMENT, command_parser
from nas.cli.experiment_options import load_function, parse_experiment
from nas.experiment import Experiment
from nas.measure.instruction_profile import check_countable, count_instruction_table
from nas.measure.instruction_table import write_instruction_table
from nas.measure.latency_profile import measure_latency_table
from nas.measure.latency_table import write_latency_table
from nas.program import Program
from nas.regular_file import check_target
from nas.seeds import generator
from nas.training.fit import cross_entropy

HOST, ROUNDS = "host", 30


def main(arguments: Sequence[str]) -> None:
    """Runs `nas profile`."""
    parser = command_parser(
        "profile",
        "Measures latencies of this host, or counts instructions on an emulated core, and writes them as "
        "a table that an experiment takes as its target. Options of the experiment may follow.",
    )
    parser.add_argument(
        "experiment", metavar=EXPERIMENT, help="the experiment whose space is sampled"
    )
    parser.add_argument(
        "--table", type=Path, required=True, metavar="FILE", help="the file to write"
    )
    parser.add_argument(
        "--designs", type=int, default=50, help="how many random designs to take operations from"
    )
    parser.add_argument(
        "--target",
        choices=(HOST, *CORES),
        default=HOST,
        help="what the table is of: this host (default), or a core that QEMU emulates",
    )
    options, rest = parser.parse_known_args(arguments)
    check_target(options.table)
    if options.target != HOST:
        check_countable(options.target)
    function = load_function(options.experiment)
    experiment, _, _ = parse_experiment(function, rest, f"nas profile {options.experiment}")
    programs = drawn_programs(experiment, options.designs)
    if options.target == HOST:
        table = measure_latency_table(programs, ROUNDS)
        write_latency_table(table, options.table)
        what = f"{len(table.seconds)} operations of {options.designs} designs on {table.host}"
    else:
        counted = count_instruction_table(programs, options.target)
        write_instruction_table(counted, options.table)
        what = f"{len(counted.counted)} operations of {options.designs} designs on {counted.core}"
    print(f"{options.table}: {what}")


def drawn_programs(experiment: Experiment, designs: int) -> list[Program]:
    """The programs of random designs of an experiment, with initial weights.

    Raises:
        ValueError: if `designs` is below 1.
        Exception: what building or compressing a design raises.
    """
    if designs < 1:
        raise ValueError(f"there must be at least 1 design to profile, but got {designs}")
    evaluator = experiment.evaluator(cross_entropy)
    rng = generator(experiment.seed, "profile")
    genotypes = dict.fromkeys(experiment.space.choices.sample(rng) for _ in range(designs))
    return [evaluator.program(genotype) for genotype in genotypes]
