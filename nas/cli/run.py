"""`nas run`: a search."""

import shlex
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

from nas.cli.begun_strategy import begun_strategy
from nas.cli.budget_table import check_budget
from nas.cli.command_parser import EXPERIMENT, shipped_experiments
from nas.cli.execution_options import CommandLine, add_execution_options, executor_of
from nas.cli.experiment_options import load_function, parse_experiment
from nas.cli.kept import kept
from nas.cli.main import REFUSED, STOPPED
from nas.cli.metrics import count_text, format_metric
from nas.cli.progress import ProgressLine
from nas.cli.show import print_summary
from nas.evaluation.counting import weights_known
from nas.experiment import Experiment
from nas.objective import Status
from nas.runs.epoch_notes import epoch_notes
from nas.runs.journal import JOURNAL_NAME, window_of
from nas.runs.mlflow_log import open_store
from nas.runs.result import RunResult
from nas.runs.run import run
from nas.strategy import Strategy


def main(arguments: Sequence[str]) -> None:
    """Runs `nas run`."""
    if not arguments or arguments[0].startswith("-"):
        asked = bool(arguments) and arguments[0] in ("-h", "--help")
        print(_usage(), file=sys.stdout if asked else sys.stderr)
        sys.exit(0 if asked else REFUSED)
    source, rest = arguments[0], arguments[1:]
    run_function(load_function(source), source, rest, f"nas run {source}")


def _usage() -> str:
    return (
        f"usage: nas run {EXPERIMENT} [--option value …]\n\n"
        "Searches, or goes on with a search: each parameter of the experiment is an option, which nas run EXPERIMENT --help "
        f"lists. Experiments that ship: {', '.join(shipped_experiments())}."
    )


def _plan(experiment: Experiment) -> str:
    """What is searched, how, by which seed, and within which limits."""
    limits = experiment.objective.budget.limits
    budget = ", ".join(f"{name} ≤ {format_metric(limit)}" for name, limit in limits.items())
    designs = count_text(experiment.space.choices.size)
    return (
        f"{designs} designs, {experiment.trials} trials by {_strategy_text(experiment.strategy)}, "
        f"{experiment.window} at a time, seed {experiment.seed}; budget: {budget or 'none'}"
    )


def _parsed(
    function: Callable[..., Experiment], arguments: Sequence[str], prog: str
) -> tuple[Sequence[str], tuple[Experiment, Path, dict[str, Any]]]:
    """The arguments, with the strategy of a run that began with another than "auto" takes now, and
    what they say.
    """
    parsed = parse_experiment(function, arguments, prog, add_execution_options)
    begun = begun_strategy(function, arguments, prog, parsed[1])
    if begun is None:
        return arguments, parsed
    arguments = [*arguments, "--strategy", begun]
    return arguments, parse_experiment(function, arguments, prog, add_execution_options)


def _strategy_text(make: Callable[..., Strategy]) -> str:
    """The class of a strategy, and of those inside it."""
    if not isinstance(make, partial):
        return getattr(make, "__qualname__", type(make).__qualname__)
    inner = make.keywords.get("strategy")
    name = _strategy_text(make.func)
    return name if inner is None else f"{name} of {_strategy_text(inner)}"


def _ended(done: int, experiment: Experiment, minutes: float | None) -> str:
    """What ended a search before its last trial."""
    said = f"{done} of {experiment.trials} trials done"
    if minutes is not None:
        return f"{said}; the same command continues"
    if done >= experiment.space.choices.size:
        return f"{said}: the space has no other designs"
    return (
        f"{said}: the last {experiment.patience} proposals were known already or over the budget; "
        "a looser budget or more options would give others"
    )


def run_function(
    function: Callable[..., Experiment], source: str, arguments: Sequence[str], prog: str
) -> None:
    """Runs the experiment that `function`, which `source` names, makes of the arguments, and prints
    what was found.
    """
    arguments, (experiment, out, values) = _parsed(function, arguments, prog)
    executor, remark = executor_of(values, window_of(out) or experiment.window, out)
    store = None if values["mlflow"] is None else open_store(values["mlflow"], function.__name__)
    console = Console()
    found = kept(out, experiment.trials)
    for said in (remark, _plan(experiment), "" if found is None else f"resumes {out}: {found}"):
        if said:
            console.print(said, highlight=False, soft_wrap=True)
    # Candidates of a network that comes trained are counted by their files, which takes seconds.
    if (
        weights_known(experiment.space, experiment.recipe, experiment.narrowing)
        and not (out / JOURNAL_NAME).exists()
    ):
        check_budget(experiment, console)
    try:
        with (
            epoch_notes() as notes,
            ProgressLine(
                experiment.trials, experiment.objective, console, notes, values["verbose"]
            ) as line,
        ):
            result = run(
                experiment,
                out,
                line.update,
                line.train,
                executor=executor,
                source=CommandLine(source, (*arguments,), prog, Path.cwd()),
                trial_minutes=values["trial_minutes"],
                minutes=values["minutes"],
                notes=notes,
                command=shlex.join(["nas", "run", source, *arguments]),
            )
    except (KeyboardInterrupt, SystemExit):
        found = kept(out, experiment.trials) or "nothing kept"
        console.print(f"{found}; the same command resumes", highlight=False, soft_wrap=True)
        raise
    print_summary(out, console)
    done = sum(evaluation.is_trial for evaluation in result.evaluations)
    if done < experiment.trials:
        console.print(_ended(done, experiment, values["minutes"]), highlight=False, soft_wrap=True)
    if store is not None:
        said = f"logged to MLflow as run {store.log(out)} of the experiment {function.__name__}"
        console.print(said, highlight=False, soft_wrap=True)
    where = shlex.quote(str(out))
    said = f"look at it in a browser: nas report {where}, or nas board {where}"
    console.print(said, highlight=False, soft_wrap=True)
    _end(experiment, result, console)


def _end(experiment: Experiment, result: RunResult, console: Console) -> None:
    """Ends the program with another status than 0 if the run found no network, or no final one."""
    if result.best is None:
        sys.exit(REFUSED)
    if experiment.final_epochs is not None:
        if result.final is None:
            console.print("no final network: none that was trained again meets the budget")
        if result.final is None or result.final.status is not Status.OK:
            sys.exit(STOPPED)
