"""Options of an experiment: the function that makes it, and a typed option for each parameter."""

import argparse
import importlib
import inspect
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, NoReturn, get_type_hints

from jsonargparse import ArgumentParser, DefaultHelpFormatter

from nas.cli.command_parser import shipped_experiments
from nas.cli.json_values import malformed, option_values, unreadable
from nas.cli.option_errors import did_you_mean, readable_error
from nas.cli.parameter_options import add_parameters, description, taken_arguments
from nas.experiment import Experiment
from nas.python_file import import_file
from nas.regular_file import read_regular
from nas.training.accelerator import fastest

_FIELDS = "retrain", "final_epochs", "accelerator"
"""Fields of an experiment that are options of all; where one is not stated, the experiment's own holds."""

MOST_BYTES = 2**20
"""The longest file of options that is read."""

_NOT_SHOWN = ("-h", "--print_shtab")


class _OptionHelp(DefaultHelpFormatter):
    """Help with defaults, but without types, which choices and metavariables show already."""

    def _get_help_string(self, action: argparse.Action) -> str:
        said = action.help or ""
        stated = action.default not in (None, argparse.SUPPRESS)
        return f"{said} (default: %(default)s)".strip() if stated else said


class ExperimentParser(ArgumentParser):
    """A parser that takes no abbreviations, reads values as JSON, and says what is wrong in one line."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(
            *arguments,
            allow_abbrev=False,
            parser_mode="json",
            formatter_class=_OptionHelp,
            usage="%(prog)s [--option value …]",
            **settings,
        )
        self._optionals.title = "of every run"
        self.hints: dict[str, Any] = {}

    def check_values(self, values: Sequence[tuple[str, Any]]) -> None:
        """Ends the program with status 2 if a parameter has a value that is not JSON but should be."""
        if (found := unreadable(values, self.hints)) is not None:
            name, value = found
            self.error(f'Parser key "{name}":\n  Got value: {value}')

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:  # noqa: ARG002 - jsonargparse's signature
        """Prints the error and where the options are listed, and ends the program with status 2."""
        known = [name for action in self._actions for name in action.option_strings]
        shown = [name for name in known if name not in _NOT_SHOWN]
        said = readable_error(message, self.hints, shown)
        self.exit(
            2, f"usage: {self.prog} [--option value …]; --help lists the options\nerror: {said}\n"
        )


def load_function(source: str) -> Callable[..., Experiment]:
    """The experiment function of `FILE.py` or `FILE.py:FUNCTION`, or of an experiment that ships,
    by its name alone.

    Raises:
        ValueError: if the file is missing, or `source` does not determine one function in it that
            returns an Experiment.
    """
    file, _, wanted = source.partition(":")
    path, shipped = Path(file), shipped_experiments()
    if source in shipped:
        module = importlib.import_module(f"experiments.{source}")
    elif path.is_file():
        module = import_file(path)
    else:
        raise ValueError(
            f"an experiment must be a Python file, FILE.py:FUNCTION or one of {shipped}, but got {source!r}"
        )
    found = {
        name: function
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if function.__module__ == module.__name__
        and not name.startswith("_")
        and get_type_hints(function).get("return") is Experiment
    }
    if wanted in found:
        return found[wanted]
    if wanted or len(found) != 1:
        raise ValueError(
            f"{path} must define one function that returns an Experiment, or FILE.py:FUNCTION must name one, "
            f"but it defines {[*found]}"
        )
    return next(iter(found.values()))


AddOptions = Callable[[ExperimentParser], None]


def no_more(parser: ExperimentParser) -> None:
    """Adds no options."""


def experiment_parser(
    function: Callable[..., Experiment], prog: str, add_options: AddOptions = no_more
) -> ExperimentParser:
    """A parser with an option for each parameter of `function`, those of every experiment: `--out`,
    `--config`, `--retrain`, `--final-epochs` and `--accelerator`, and those that `add_options` adds. A
    parameter that is annotated with a frozen dataclass gives an option for each of its fields.

    The help texts come from the docstrings of the function and the dataclass.

    Raises:
        ValueError: if a parameter has no type annotation, one that is not of plain values, or the
            name of an option of every experiment.
    """
    result = ExperimentParser(prog=prog, description=description(function))
    result.add_argument(
        "--out",
        type=Path,
        default=Path("runs", function.__name__),
        help="the run directory; the same command resumes the run",
    )
    result.add_argument(
        "--config",
        type=Path,
        help="a TOML file with values of these options; the command line takes precedence",
    )
    result.add_argument(
        "--retrain",
        type=int | None,
        help="how many of the best candidates are trained again after the search, with another seed: "
        "the best of many is in part the luckiest",
    )
    result.add_argument(
        "--final-epochs",
        type=int | None,
        help="for how many epochs in all, before and after compression, these are trained; the best of "
        "them, or of the search, is then trained for as many on training and validation samples "
        "together, and is the final network",
    )
    result.add_argument(
        "--accelerator",
        type=Literal["auto", "cpu", "cuda", "mps"] | None,
        help="what candidates are trained on: this processor (the default), or a GPU; auto is a GPU if there is one. "
        "Results depend on it, so that a run is resumed on the same",
    )
    result.hints |= {"out": Path, "config": Path, **dict.fromkeys(_FIELDS[:2], int | None)}
    result.hints["accelerator"] = Literal["auto", "cpu", "cuda", "mps"] | None
    add_options(result)
    add_parameters(result, result.hints, function)
    return result


def _flags_stated(arguments: Sequence[str], hints: Mapping[str, Any]) -> list[str]:
    """The arguments with the value true behind each option of yes or no that has none.

    >>> _flags_stated(["--teacher", "--seed", "1"], {"teacher": bool, "seed": int})
    ['--teacher', 'true', '--seed', '1']
    """
    flags = {f"--{name.replace('_', '-')}" for name, hint in hints.items() if hint is bool}
    stated = list[str]()
    for index, argument in enumerate(arguments):
        stated.append(argument)
        following = arguments[index + 1 :]
        if argument in flags and (not following or following[0].startswith("--")):
            stated.append("true")
    return stated


def parse_experiment(
    function: Callable[..., Experiment],
    arguments: Sequence[str],
    prog: str,
    add_options: AddOptions = no_more,
) -> tuple[Experiment, Path, dict[str, Any]]:
    """The experiment that the arguments describe, its run directory, and the values of the options
    that `add_options` adds.

    Ends the program with status 2 if they are wrong.
    """
    parser = experiment_parser(function, prog, add_options)
    if said := malformed(arguments):
        parser.error(said)
    arguments = _flags_stated(arguments, parser.hints)
    parser.check_values(option_values(arguments))
    values = vars(parser.parse_args(arguments))
    if values["config"] is not None:
        base = _read_config(values["config"], parser)
        values = vars(parser.parse_args(arguments, namespace=base))
    if lacking := [name for name in parser.hints if name not in values]:
        options = ", ".join("--" + name.replace("_", "-") for name in lacking)
        parser.error(f"{options} must be stated, but {'is' if len(lacking) == 1 else 'are'} not")
    out = values.pop("out")
    del values["config"]
    of_all = {name: values.pop(name) for name in _FIELDS}
    if of_all["accelerator"] == "auto":
        of_all["accelerator"] = fastest()
    experiment = function(**taken_arguments(function, values))
    stated = {name: value for name, value in of_all.items() if value is not None}
    return replace(experiment, **stated) if stated else experiment, out, values


def _read_config(path: Path, parser: ExperimentParser) -> Any:
    try:
        data = read_regular(path, MOST_BYTES)
    except ValueError as error:
        parser.error(str(error))
    except OSError as error:
        parser.error(f"{path} must be a TOML file: {error.strerror}")
    try:
        values = tomllib.loads(data.decode())
    except (ValueError, RecursionError) as error:
        parser.error(f"{path} must be a TOML file: {error}")
    known = [action.dest for action in parser._actions if action.dest not in ("help", "config")]
    parameters = {name.replace("-", "_"): name for name in values}
    for parameter, name in parameters.items():
        if parameter not in known:
            parser.error(f"{path} has no option {name!r}{did_you_mean(parameter, known)}")
    parser.check_values([(parameter, values[name]) for parameter, name in parameters.items()])
    return parser.parse_object({parameter: values[name] for parameter, name in parameters.items()})
