"""`nas space`: what a search could choose from, before it begins."""

from collections.abc import Mapping, Sequence
from functools import cache

from rich.console import Console
from rich.table import Table
from rich.text import Text

from nas.cli.command_parser import EXPERIMENT, command_parser
from nas.cli.experiment_options import load_function, parse_experiment
from nas.cli.metrics import count_text, format_metric
from nas.evaluation.reach import can_meet_all, reaches
from nas.experiment import Experiment
from nas.objective import Budget
from nas.seeds import generator
from nas.space import Choice, Choices
from nas.space.condition import said
from nas.strategy import Facts
from nas.threads import one_thread
from nas.training.fit import cross_entropy

MOST_OPTIONS = 12
COSTS = ("size_bytes", "flash_bytes", "params", "macs", "peak_memory_bytes", "latency_ms")
QUANTILES = (0.25, 0.5, 0.75)
UNLIMITED = 1e18


def main(arguments: Sequence[str]) -> None:
    """Runs `nas space`."""
    parser = command_parser(
        "space",
        "Shows the choices of an experiment, how many designs they make, and what networks of the space "
        "cost, none of them trained. Options of the experiment may follow.",
    )
    parser.add_argument("experiment", metavar=EXPERIMENT, help="the experiment whose space it is")
    parser.add_argument(
        "--designs", type=int, default=50, help="how many random designs are counted (default: 50)"
    )
    options, rest = parser.parse_known_args(arguments)
    if options.designs < 1:
        parser.error(f"--designs must be at least 1, but got {options.designs}")
    function = load_function(options.experiment)
    experiment, _, _ = parse_experiment(function, rest, f"nas space {options.experiment}")
    print_space(experiment, options.designs, Console())


@one_thread()
def print_space(experiment: Experiment, designs: int, console: Console) -> None:
    """Prints the choices, the extremes of costs and those of so many random designs."""
    choices, limits = experiment.space.choices, experiment.objective.budget.limits
    console.print(Text(f"{count_text(choices.size)} designs of {len(choices)} choices"))
    console.print(choices_table(choices))
    facts = cache(experiment.evaluator(cross_entropy).facts)
    rng = generator(experiment.seed, "space")
    drawn = [facts(choices.sample(rng)) for _ in range(designs)]
    built = [each for each in drawn if each.costs]
    if len(built) < designs:
        failed = designs - len(built)
        said = f"{failed} of {designs} random designs could not be built or counted: nas check says why"
        console.print(Text(said, style="red"))
    if not built:
        return
    names = [name for name in COSTS if name in built[0].costs]
    budget = Budget({name: limits.get(name, UNLIMITED) for name in names})
    extremes = {
        each.name: (each.smallest, each.largest) for each in reaches(choices, facts, budget)
    }
    console.print(costs_table(extremes, built, limits))
    within = sum(each.excess == 0 for each in built)
    if limits:
        console.print(f"{within} of {len(built)} random designs are within the budget")
        met = within > 0 or can_meet_all(choices, facts)
        console.print("the budget can be met" if met else "nothing was found within the budget")


def choices_table(choices: Choices) -> Table:
    """A row for each kind and set of options, with the sites that have them."""
    table = Table(title="choices")
    for name in ("kind", "options", "sites", "only if"):
        table.add_column(name, overflow="fold")
    alike = dict[tuple[str, tuple[object, ...], str], list[Choice]]()
    for choice in choices:
        condition = said(choice.alternatives)
        alike.setdefault((choice.kind, choice.options, condition), []).append(choice)
    for (kind, options, condition), found in alike.items():
        shown = ", ".join(str(option) for option in options[:MOST_OPTIONS])
        more = f", … ({len(options)} in all)" if len(options) > MOST_OPTIONS else ""
        sites = ", ".join(choice.site or "the network" for choice in found)
        table.add_row(Text(kind), Text(shown + more), Text(sites), Text(condition))
    return table


def costs_table(
    extremes: Mapping[str, tuple[float, float]],
    drawn: Sequence[Facts],
    limits: Mapping[str, float],
) -> Table:
    """The smallest and the largest network that were found by each cost, and the quantiles of random
    designs between.
    """
    table = Table(
        title="costs of networks that are not trained",
        caption="25%, 50%, 75%: of random designs; smallest and largest: found by changing one kind of choice after the other",
    )
    table.add_column("cost")
    between = (f"{share:.0%}" for share in QUANTILES)
    for name in ("smallest", *between, "largest", "limit"):
        table.add_column(name, justify="right")
    for name, (smallest, largest) in extremes.items():
        values = sorted(each.costs[name] for each in drawn if name in each.costs)
        middle = [values[round(share * (len(values) - 1))] for share in QUANTILES]
        found = (min(smallest, values[0]), *middle, max(largest, values[-1]))
        cells = [format_metric(value) for value in found]
        table.add_row(name, *cells, format_metric(limits[name]) if name in limits else "–")
    return table
