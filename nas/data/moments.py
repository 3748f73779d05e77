"""Rows of a table that are moments of signals."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from nas.data.files import DataError

Value = TypeVar("Value", str, float)
Rows = Mapping[str, NDArray[np.int64]]
"""The rows of each signal, in order of time."""


def rows_of_signals(path: Path, ids: Sequence[str], times: Sequence[NDArray[np.float64]]) -> Rows:
    """The rows of each signal of a file, whose `ids` are those of its rows, in the order of the columns of
    `times`, or else of the file.

    Raises:
        DataError: if signals differ in length.
    """
    found = dict[str, list[int]]()
    for row, each in enumerate(ids):
        found.setdefault(each, []).append(row)
    lengths = {each: len(rows) for each, rows in found.items()}
    if len(set(lengths.values())) > 1:
        short, long = min(lengths, key=lengths.__getitem__), max(lengths, key=lengths.__getitem__)
        raise DataError(
            f"signals of {path} must have one length, but {short!r} has {lengths[short]} rows and {long!r} has {lengths[long]}: "
            "cut them into windows"
        )
    ordered = {each: np.array(rows) for each, rows in found.items()}
    for time in times:
        for each, rows in ordered.items():
            ordered[each] = rows[np.argsort(time[rows], kind="stable")]
    return ordered


def of_signals(path: Path, what: str, signals: Rows, values: Sequence[Value]) -> list[Value]:
    """What each signal has, of what its rows have: `values`, which are called `what` in messages.

    Raises:
        DataError: if rows of a signal differ in it.
    """
    found = list[Value]()
    for each, rows in signals.items():
        first, *others = {values[row] for row in rows}
        if others:
            raise DataError(f"a signal of {path} must have one {what}, but {each!r} has several")
        found.append(first)
    return found
