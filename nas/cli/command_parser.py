"""Parsers of the commands, whose arguments may name an experiment and continue with its options."""

import argparse
import importlib.util
import pkgutil
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nas.experiment import Experiment

EXPERIMENT = "NAME|FILE.py[:FUNCTION]"


def shipped_experiments() -> tuple[str, ...]:
    """The names of the experiments that ship."""
    # Found, not imported: experiments import the command line, and need torch.
    spec = importlib.util.find_spec("experiments")
    folders = [] if spec is None else spec.submodule_search_locations or []
    found = pkgutil.iter_modules(folders)
    return tuple(sorted(module.name for module in found if not module.ispkg))


def command_parser(command: str, description: str) -> argparse.ArgumentParser:
    """The parser of `nas command`, which takes no abbreviations."""
    return argparse.ArgumentParser(
        prog=f"nas {command}", description=description, allow_abbrev=False
    )


def parse_with_experiment(
    parser: argparse.ArgumentParser, arguments: Sequence[str], option: str
) -> "tuple[argparse.Namespace, Experiment | None]":
    """The arguments of a command, and the experiment that `option` names, made with the options of
    it that follow.
    """
    options, rest = parser.parse_known_args(arguments)
    source = getattr(options, option)
    if source is None:
        if rest:
            parser.error(f"there is no option {rest[0]}; options of an experiment need --{option}")
        return options, None
    # Imported here, because commands without an experiment do not need torch.
    from nas.cli.experiment_options import load_function, parse_experiment

    prog = f"{parser.prog} --{option} {source}"
    return options, parse_experiment(load_function(source), rest, prog)[0]
