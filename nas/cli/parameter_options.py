"""Options from the parameters of a function, and from the fields of a dataclass that it takes."""

import argparse
import inspect
import types
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import docstring_parser
from jsonargparse import ArgumentParser

from nas.byte_count import byte_count

_PLAIN_TYPES = (bool, int, float, str, Path, types.NoneType)
_NO_DEFAULT = inspect.Parameter.empty


def description(function: Callable[..., Any]) -> str:
    """What a function does, from its docstring."""
    documentation = _documentation(function)
    parts = documentation.short_description, documentation.long_description
    return " ".join(part for part in parts if part)


def add_parameters(
    parser: ArgumentParser, hints: dict[str, Any], function: Callable[..., Any]
) -> None:
    """Adds an option for each parameter of a function, and for each field of a parameter that is
    annotated with a dataclass, whose default has theirs; their types are added to `hints`.

    Raises:
        ValueError: if a parameter has no type annotation, one that is not of plain values, or the
            name of another option.
    """
    known, helps = get_type_hints(function), _helps(function)
    group, shared = parser.add_argument_group("of this experiment"), list[tuple[type, Any]]()
    for name, parameter in inspect.signature(function).parameters.items():
        if name not in known:
            raise ValueError(
                f"every parameter of an experiment must have a type, but {name!r} of {function.__name__} has none"
            )
        if is_dataclass(known[name]):
            shared.append((known[name], parameter.default))
        else:
            _add_option(parser, group, name, known[name], parameter.default, helps.get(name))
            hints[name] = known[name]
    for kind, own in shared:
        for base in kind.__mro__[:-1]:
            _add_fields(parser, hints, base, own)


def options_of(function: Callable[..., Any]) -> Mapping[str, tuple[Any, Any]]:
    """The type and the default of each option of a function by its parameter or field; what has no default
    has `inspect.Parameter.empty`.
    """
    known, found = get_type_hints(function), dict[str, tuple[Any, Any]]()
    for name, parameter in inspect.signature(function).parameters.items():
        kind, own = known[name], parameter.default
        if isinstance(kind, type) and is_dataclass(kind):
            hints = get_type_hints(kind)
            for field in fields(kind):
                default = _NO_DEFAULT if field.default is MISSING else field.default
                stated = default if own is _NO_DEFAULT else getattr(own, field.name)
                found[field.name] = hints[field.name], stated
        else:
            found[name] = kind, own
    return found


def taken_arguments(function: Callable[..., Any], values: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a function, which are taken out of the values of options: those of fields as the
    dataclass that they make.

    Raises:
        ValueError: if the dataclass does.
    """
    known, arguments = get_type_hints(function), dict[str, Any]()
    for name in inspect.signature(function).parameters:
        kind = known[name]
        if isinstance(kind, type) and is_dataclass(kind):
            arguments[name] = kind(**{each.name: values.pop(each.name) for each in fields(kind)})
        else:
            arguments[name] = values.pop(name)
    return arguments


def _documentation(of: Any) -> docstring_parser.Docstring:
    return docstring_parser.parse(of.__doc__ or "")


def _helps(of: Any) -> dict[str, str | None]:
    return {each.arg_name: each.description for each in _documentation(of).params}


def _add_fields(parser: ArgumentParser, hints: dict[str, Any], kind: type, own: Any) -> None:
    """Adds an option for each field that a dataclass itself defines, as a group with the first line of its
    docstring; defaults are those of the object `own`, if it is one.
    """
    title = _documentation(kind).short_description or kind.__name__
    group, helps = parser.add_argument_group(title.rstrip(".").lower()), _helps(kind)
    known, defined = get_type_hints(kind), inspect.get_annotations(kind)
    for field in fields(kind):
        if field.name in defined:
            default = _NO_DEFAULT if field.default is MISSING else field.default
            stated = default if own is _NO_DEFAULT else getattr(own, field.name)
            _add_option(parser, group, field.name, known[field.name], stated, helps.get(field.name))
            hints[field.name] = known[field.name]


def _add_option(
    parser: ArgumentParser, group: Any, name: str, hint: Any, default: Any, said: str | None
) -> None:
    """Adds the option of a parameter or field to a group of the parser."""
    _check_type(hint, name)
    taken = [action.dest for action in parser._actions]
    if name in taken:
        raise ValueError(
            f"parameters of an experiment must not be called as other options, {taken}, but one is {name!r}"
        )
    # What has no default may stand in a file of options, so that the parser does not ask for it.
    group.add_argument(
        "--" + name.replace("_", "-"),
        type=_option_type(name, hint),
        default=argparse.SUPPRESS if default is _NO_DEFAULT else default,
        help=said,
    )


def _check_type(hint: Any, name: str) -> None:
    """Allows only plain values, because a configuration file must not be able to name code."""
    if get_origin(hint) in (Union, types.UnionType, tuple):
        for part in get_args(hint):
            if part is not Ellipsis:
                _check_type(part, name)
    elif get_origin(hint) is not Literal and hint not in _PLAIN_TYPES:
        raise ValueError(
            f"parameters of an experiment must be numbers, strings, booleans or paths, but {name!r} is {hint}"
        )


def _option_type(name: str, hint: Any) -> Any:
    """The type of an option: that of its parameter, but bytes may have a unit."""
    if name.endswith("_bytes") and hint is int:
        return _bytes
    if name.endswith("_bytes") and hint == int | None:
        return _bytes_or_null
    return hint


def _bytes(value: str | int) -> int:
    try:
        return byte_count(str(value))
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _bytes_or_null(value: str | int | None) -> int | None:
    return None if value in (None, "null") else _bytes(value)
