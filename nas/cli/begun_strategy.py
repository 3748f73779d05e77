"""A run keeps its strategy where none is named, as it keeps its window."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import get_args

from nas.cli.execution_options import add_execution_options
from nas.cli.experiment_options import parse_experiment
from nas.cli.parameter_options import options_of
from nas.experiment import Experiment
from nas.runs.journal import strategy_of

AUTO = "auto"


def begun_strategy(
    function: Callable[..., Experiment], arguments: Sequence[str], prog: str, out: Path
) -> str | None:
    """The name of the strategy that the run in `out` began with, if `function` has a default of
    "auto" that none of the `arguments` overrules and that is another one now: for more trials, or by
    newer software. None otherwise, or if no name is that strategy.
    """
    begun = strategy_of(out)
    hint, default = options_of(function).get("strategy", (None, None))
    if begun is None or default != AUTO:
        return None

    def described(name: str | None) -> object:
        named = [] if name is None else ["--strategy", name]
        experiment, _, _ = parse_experiment(
            function, [*arguments, *named], prog, add_execution_options
        )
        return experiment.describe()["strategy"]

    present = described(None)
    if begun == present or present != described(AUTO):
        return None
    names = [name for name in get_args(hint) if name != AUTO]
    for name in names:
        try:
            if described(name) == begun:
                return str(name)
        except ValueError:  # its packages are not installed
            continue
    return None
