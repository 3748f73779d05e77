"""`nas profile`: measures a latency table of this host for the operations of a search."""

from collections.abc import Sequence
from pathlib import Path

from nas.cli.command_parser import EXPERIMENT, command_parser
from nas.cli.experiment_options import load_function, parse_experiment
from nas.experiment import Experiment
from nas.measure import LatencyTable
from nas.measure.latency_profile import measure_latency_table
from nas.measure.latency_table import write_latency_table
from nas.regular_file import check_target
from nas.seeds import generator
from nas.training.fit import cross_entropy


def main(arguments: Sequence[str]) -> None:
    """Runs `nas profile`."""
    parser = command_parser(
        "profile", "Measures a latency table of this host. Options of the experiment may follow."
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
    options, rest = parser.parse_known_args(arguments)
    check_target(options.table)
    function = load_function(options.experiment)
    experiment, _, _ = parse_experiment(function, rest, f"nas profile {options.experiment}")
    table = profile_designs(experiment, options.designs)
    write_latency_table(table, options.table)
    print(
        f"{options.table}: {len(table.seconds)} operations of {options.designs} designs on {table.host}"
    )


def profile_designs(experiment: Experiment, designs: int, rounds: int = 30) -> LatencyTable:
    """The latencies on this host of all operations in random designs of an experiment.

    Raises:
        ValueError: if `designs` is below 1.
        Exception: what building or compressing a design raises.
    """
    if designs < 1:
        raise ValueError(f"there must be at least 1 design to profile, but got {designs}")
    evaluator = experiment.evaluator(cross_entropy)
    rng = generator(experiment.seed, "profile")
    genotypes = dict.fromkeys(experiment.space.choices.sample(rng) for _ in range(designs))
    return measure_latency_table([evaluator.program(genotype) for genotype in genotypes], rounds)
