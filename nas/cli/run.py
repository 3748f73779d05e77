"""`nas run`: a search."""

import sys
from collections.abc import Callable, Sequence

from rich.console import Console

from nas.cli.budget_table import check_budget
from nas.cli.experiment_options import load_function, parse_experiment
from nas.cli.main import REFUSED, STOPPED, usage
from nas.cli.progress import ProgressLine
from nas.cli.show import print_summary
from nas.evaluation.counting import weights_known
from nas.experiment import Experiment
from nas.objective import Status
from nas.runs.journal import JOURNAL_NAME
from nas.runs.run import run


def main(arguments: Sequence[str]) -> None:
    """Runs `nas run`."""
    if not arguments or arguments[0].startswith("-"):
        print(usage(), file=sys.stderr)
        sys.exit(REFUSED)
    run_function(load_function(arguments[0]), arguments[1:], f"nas run {arguments[0]}")


def run_function(function: Callable[..., Experiment], arguments: Sequence[str], prog: str) -> None:
    """Runs the experiment that `function` makes of the arguments, and prints what was found."""
    experiment, out = parse_experiment(function, arguments, prog)
    console = Console()
    # Candidates of a network that comes trained are counted by their files, which takes seconds.
    if (
        weights_known(experiment.space, experiment.recipe, experiment.narrowing)
        and not (out / JOURNAL_NAME).exists()
    ):
        check_budget(experiment, console)
    with ProgressLine(experiment.trials, experiment.objective, console) as line:
        result = run(experiment, out, line.update, line.train)
    print_summary(out, console)
    console.print(f"curves: tensorboard --logdir {out / 'tb'}", highlight=False, soft_wrap=True)
    if result.best is None:
        sys.exit(REFUSED)
    if experiment.final_epochs is not None:
        if result.final is None:
            console.print("no final network: none that was trained again meets the budget")
        if result.final is None or result.final.status is not Status.OK:
            sys.exit(STOPPED)
