"""The table of what a search can reach, printed before it begins."""

from collections.abc import Sequence
from functools import cache

from rich.console import Console
from rich.table import Table
from rich.text import Text

from nas.cli.metrics import format_metric
from nas.evaluation.reach import Reach, can_meet_all, reaches
from nas.experiment import Experiment
from nas.threads import one_thread
from nas.training.fit import cross_entropy


@one_thread()
def check_budget(experiment: Experiment, console: Console) -> None:
    """Prints how far the limited costs reach.

    Raises:
        ValueError: if no candidate is found within the budget.
    """
    choices, budget = experiment.space.choices, experiment.objective.budget
    facts = cache(experiment.evaluator(cross_entropy).facts)
    found = reaches(choices, facts, budget)
    if not found:
        return
    console.print(budget_table(found))
    out_of_reach = [reach for reach in found if not reach.can_be_met]
    if out_of_reach:
        listed = ", ".join(
            f"{reach.name} must be at least {format_metric(reach.smallest)}, but may be {format_metric(reach.limit)}"
            for reach in out_of_reach
        )
        raise ValueError(f"a budget must be one that a candidate can meet: {listed}")
    if not can_meet_all(choices, facts):
        raise ValueError(
            f"a budget must be one that a candidate can meet, but none was found within {dict(budget.limits)} at once"
        )


def budget_table(found: Sequence[Reach]) -> Table:
    """The reach of each cost, and whether its limit can be met."""
    table = Table(title="candidates before training")
    for name in ("cost", "smallest", "middle", "largest", "limit", "can be met"):
        table.add_column(name, justify="left" if name == "cost" else "right")
    for reach in found:
        values = (reach.smallest, reach.middle, reach.largest, reach.limit)
        table.add_row(
            Text(reach.name),
            *(format_metric(value) for value in values),
            "yes" if reach.can_be_met else "no",
        )
    return table
