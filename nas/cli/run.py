"""`nas run`: a search."""

import sys
from collections.abc import Callable, Sequence

from rich.console import Console

from nas.cli.main import REFUSED, USAGE
from nas.cli.options import load_function, parse
from nas.cli.progress import ProgressLine
from nas.cli.show import print_table
from nas.experiment import Experiment
from nas.runs.run import run


def main(arguments: Sequence[str]) -> None:
    """`nas run FILE.py[:FUNCTION] [options]`."""
    if not arguments or arguments[0].startswith("-"):
        print(USAGE, file=sys.stderr)
        sys.exit(REFUSED)
    run_function(load_function(arguments[0]), arguments[1:], f"nas run {arguments[0]}")


def run_function(function: Callable[..., Experiment], arguments: Sequence[str], prog: str) -> None:
    """Runs the experiment that a function makes of the arguments, and prints what was found."""
    experiment, out = parse(function, arguments, prog)
    console = Console()
    with ProgressLine(experiment.trials, experiment.objective, console) as line:
        found = run(experiment, out, line.update)
    print_table(out, console)
    console.print(f"curves: tensorboard --logdir {out / 'tb'}", highlight=False, soft_wrap=True)
    if found.best is None:
        sys.exit(REFUSED)
