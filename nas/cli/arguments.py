"""Arguments that several commands share."""

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nas.experiment import Experiment


def parser(command: str, description: str) -> argparse.ArgumentParser:
    """The parser of `nas command`, which takes no abbreviations."""
    return argparse.ArgumentParser(
        prog=f"nas {command}", description=description, allow_abbrev=False
    )


def with_experiment(
    parser: argparse.ArgumentParser, arguments: Sequence[str], option: str
) -> "tuple[argparse.Namespace, Experiment | None]":
    """The options of a command, and the experiment that one of them names, whose own options follow it."""
    options, rest = parser.parse_known_args(arguments)
    named = getattr(options, option)
    if named is None:
        if rest:
            parser.error(f"there is no option {rest[0]}; options of an experiment need --{option}")
        return options, None
    from nas.cli.options import (
        load_function,
        parse,
    )  # here, because a summary must not wait for torch

    return options, parse(load_function(named), rest, f"{parser.prog} --{option} {named}")[0]
