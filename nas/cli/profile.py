"""`nas profile`: a latency table of this host for the operations of a search."""

from collections.abc import Sequence
from pathlib import Path

from nas.cli.arguments import parser
from nas.cli.options import load_function, parse
from nas.experiment import Experiment
from nas.measure import LatencyTable
from nas.measure.latency_profile import profile
from nas.measure.latency_table import write
from nas.runs.run import evaluator_of
from nas.seeds import generator
from nas.training.fit import cross_entropy


def main(arguments: Sequence[str]) -> None:
    """`nas profile FILE.py[:FUNCTION] [options] --table FILE [--designs N]`."""
    known = parser("profile", "A latency table of this host; options of the experiment follow.")
    known.add_argument(
        "experiment", metavar="FILE.py[:FUNCTION]", help="the experiment whose space is sampled"
    )
    known.add_argument("--table", type=Path, required=True, help="the file to write")
    known.add_argument(
        "--designs",
        type=int,
        default=50,
        help="how many random designs have their operations timed",
    )
    options, rest = known.parse_known_args(arguments)
    experiment, _ = parse(
        load_function(options.experiment), rest, f"nas profile {options.experiment}"
    )
    table = profiled(experiment, options.designs)
    write(table, options.table)
    print(
        f"{options.table}: {len(table.seconds)} operations of {options.designs} designs on {table.host}"
    )


def profiled(experiment: Experiment, designs: int, rounds: int = 30) -> LatencyTable:
    """How long the operations of so many random designs of an experiment take on this host, each
    timed alone.

    Raises:
        ValueError: if there are no designs.
        Exception: whatever building and compressing a design raises.
    """
    if designs < 1:
        raise ValueError(f"there must be at least 1 design to profile, but got {designs}")
    evaluator = evaluator_of(experiment, cross_entropy)
    rng = generator(experiment.seed, "profile")
    genotypes = dict.fromkeys(experiment.space.choices.sample(rng) for _ in range(designs))
    return profile([evaluator.program(genotype) for genotype in genotypes], rounds)
