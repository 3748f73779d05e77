"""Values of options: JSON with numbers of 64 bits, because YAML takes 1:30 for 90 and `no` for false."""

import json
import math
import types
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

LONGEST = 4096
"""The characters that an argument may have."""


def malformed(arguments: Sequence[str]) -> str:
    """What is wrong with arguments whatever they are for; empty if nothing is."""
    for argument in arguments:
        if len(argument) > LONGEST:
            return (
                f"an argument must have at most {LONGEST} characters, but one has {len(argument)}"
            )
        if not argument.isprintable() and any("\ud800" <= each <= "\udfff" for each in argument):
            return f"arguments must be text in UTF-8, but got {argument!a}"
    return ""


def option_values(arguments: Sequence[str]) -> list[tuple[str, str]]:
    """The parameters and the values of options, `--name value` or `--name=value`."""
    found = list[tuple[str, str]]()
    for index, argument in enumerate(arguments):
        if argument.startswith("--"):
            name, separator, value = argument.partition("=")
            rest = arguments[index + 1 : index + 2]
            value = value if separator else "".join(rest)
            found.append((name.removeprefix("--").replace("-", "_"), value))
    return found


def unreadable(
    values: Sequence[tuple[str, Any]], hints: Mapping[str, Any]
) -> tuple[str, Any] | None:
    """The first parameter and value that must be JSON, by the type in `hints`, and is not."""
    for name, value in values:
        if name in hints and not name.endswith("_bytes") and _wants_json(hints[name]):
            try:
                read = json.loads(_lowered(value)) if isinstance(value, str) else value
            except (ValueError, RecursionError):
                return name, value
            if not _is_bounded(read):
                return name, value
    return None


def _lowered(value: str) -> str:
    return value.lower() if value in ("True", "False") else value


def _wants_json(hint: Any) -> bool:
    """Whether no text is a value of this type."""
    if get_origin(hint) in (Union, types.UnionType):
        return all(map(_wants_json, get_args(hint)))
    return hint not in (str, Path) and get_origin(hint) is not Literal


def _is_bounded(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return all(map(_is_bounded, value))
    if isinstance(value, float):
        return math.isfinite(value)
    return not isinstance(value, int) or -(2**63) <= value < 2**63
