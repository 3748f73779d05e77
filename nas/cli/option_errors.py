"""Errors of options as their users would say them."""

import difflib
import re
import types
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

_KEY = re.compile(r'Parser key "(?P<name>[^"]+)":')
_VALUE = re.compile(r"(?:Got value|Given value): (?P<value>.*)\Z", re.MULTILINE)
LONGEST_SHOWN = 60
_NAMES: Mapping[Any, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text",
    Path: "a path",
    types.NoneType: "null",
}


def did_you_mean(name: str, known: Sequence[str]) -> str:
    """The end of an error message about an unknown name: a similar one, or all there are."""
    close = difflib.get_close_matches(name, known, n=1)
    return f": did you mean {close[0]}?" if close else f", only {', '.join(known)}"


def readable_error(message: str, hints: Mapping[str, Any], known: Sequence[str]) -> str:
    """A message of the parser about an option or its value as one line: requirement, value, and what
    was perhaps meant. `hints` has the types of options by their parameters, `known` their names.

    >>> readable_error('Parser key "trials":\\n  Expected a <class \\'int\\'>. Got value: x', {"trials": int}, ())
    "--trials must be a whole number, but got 'x'"
    """
    unknown = re.match(r"unrecognized arguments: (--[^\s=]+)", message)
    if unknown is not None:
        return f"there is no option {unknown[1]}{did_you_mean(unknown[1], known)}"
    key, value = _KEY.search(message), _VALUE.search(message)
    if key is None or value is None or key["name"] not in hints:
        return message
    option, hint, given = key["name"].replace("_", "-"), hints[key["name"]], value["value"]
    close = difflib.get_close_matches(given, [str(each) for each in _literals(hint)], n=1)
    meant = f": did you mean {close[0]}?" if close else ""
    shown = given if len(given) <= LONGEST_SHOWN else f"{given[:LONGEST_SHOWN]}…"
    return f"--{option} must be {_described(hint)}, but got {shown!r}{meant}"


def _described(hint: Any) -> str:
    parts = get_args(hint)
    if get_origin(hint) is Literal:
        return f"one of {', '.join(str(part) for part in parts)}"
    if get_origin(hint) in (Union, types.UnionType):
        return " or ".join(_described(part) for part in parts)
    if get_origin(hint) is tuple:
        return f"a list in brackets, each {_described(parts[0])}"
    return _NAMES.get(hint, str(hint))


def _literals(hint: Any) -> list[Any]:
    if get_origin(hint) is Literal:
        return list(get_args(hint))
    return [each for part in get_args(hint) for each in _literals(part)]
