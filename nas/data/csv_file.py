"""CSV files: tables, one sample a row, and signals, one moment a row."""

import csv
import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nas.data.division import GROUP, PART, Division
from nas.data.files import DataError, check_size, reading
from nas.data.moments import of_signals, rows_of_signals
from nas.quality import TaskKind

LABELS = ("label", "class", "target")
"""Names of the column of labels, in the order in which they are looked for; without one it is the last."""
SERIES = ("series", "id")
"""Names of a column that says which signal a row belongs to."""
TIME = "time"
MISSING = frozenset({"", "?", "na", "n/a", "nan", "null", "none"})
MOST_CATEGORIES = 20

Labels = NDArray[np.int64] | NDArray[np.float64]
Read = tuple[NDArray[np.float64], Labels, tuple[str, ...]]


def read_csv(path: Path, kind: TaskKind = "classification") -> Read:
    """The samples of a CSV file with a header, their labels, and the names of the classes, as
    `read_divided_csv` reads them.

    Raises:
        DataError: as that does.
    """
    return read_divided_csv(path, kind)[:3]


def read_divided_csv(path: Path, kind: TaskKind = "classification") -> tuple[*Read, Division]:
    """The samples of a CSV file with a header, their labels, the names of the classes, and how the file
    says to divide them.

    Columns are separated by commas, semicolons or tabs. The labels, numbers or text, are in a column
    named as in `LABELS`, or in the last; classes are sorted, by number if all are. Other columns are
    features, [N, F]: numbers, or up to 20 texts, of which each becomes a feature of 0 or 1. Missing
    values, as in `MISSING`, are NaN. With the `kind` "regression" labels are targets, numbers as they
    are, float64 [N], and there are no names.

    With a column named as in `SERIES`, the file holds signals, [N, C, T]: the rows of one id are the
    moments of a signal, in the order of a column "time" if there is one, and of the file otherwise.

    Columns named "split" and "group" are no features: they have the part, train, validation or test, and
    the group of a sample, which is that of all rows of a signal.

    Raises:
        DataError: if the file is damaged or too large, a row has another number of columns than the
            header, a label is missing or differs within a signal, a column has more than 20 texts,
            signals differ in length, or labels are many fractions, or targets not numbers.
    """
    header, rows = _rows(path)
    lower = [name.strip().lower() for name in header]
    others = [at for at, name in enumerate(lower) if name not in (PART, GROUP)]
    last = others[-1] if others else len(header) - 1
    label = next((lower.index(name) for name in LABELS if name in lower), last)
    series = next((lower.index(name) for name in SERIES if name in lower), None)
    part, group = (
        [row[lower.index(name)].strip() for row in rows] if name in lower else None
        for name in (PART, GROUP)
    )
    texts = [row[label].strip() for row in rows]
    if absent := [number for number, text in enumerate(texts) if text.lower() in MISSING]:
        raise DataError(
            f"{path} must have a label in each row, in column {header[label]!r}, but row {absent[0] + 2} has none"
        )
    names: tuple[str, ...] = ()
    labels: Labels
    if kind == "regression":
        labels = _number(path, header[label], texts)
    else:
        names, labels = _classes(path, header[label], texts)
    used = [at for at in others if at not in (label, series)]
    if series is None:
        columns = [_features(path, header[at], [row[at] for row in rows]) for at in used]
        values = np.concatenate([np.empty((len(rows), 0)), *columns], 1)
        return values, labels, names, Division(part=part, group=group)
    times = [at for at in used if lower[at] == TIME]
    ids = [row[series].strip() for row in rows]
    moments = [_number(path, header[at], [row[at] for row in rows]) for at in times]
    channels = [
        _number(path, header[at], [row[at] for row in rows]) for at in used if at not in times
    ]
    if not channels:
        raise DataError(f"{path} must have a column of values besides {header}, but has none")
    places = rows_of_signals(path, ids, moments)
    values = np.stack([np.stack(channels)[:, rows] for rows in places.values()])
    division = Division(
        part=None if part is None else of_signals(path, PART, places, part),
        group=None if group is None else of_signals(path, GROUP, places, group),
    )
    of_signals(path, "label", places, labels.tolist())  # refuses signals of several
    firsts = np.array([rows[0] for rows in places.values()])
    return values, labels[firsts], names, division


def _rows(path: Path) -> tuple[list[str], list[list[str]]]:
    with reading(path, "a CSV file"):
        check_size(path, (path.stat().st_size,))
        with path.open(newline="", encoding="utf-8-sig") as file:
            first = file.readline()
            file.seek(0)
            mark = max(",;\t", key=first.count)
            header, *rows = [row for row in csv.reader(file, delimiter=mark) if row] or [[]]
    if len(header) < 2 or not rows:
        raise DataError(
            f"{path} must have a header of two columns or more and a row, but has {len(header)} columns and {len(rows)} rows"
        )
    for number, row in enumerate(rows, 2):
        if len(row) != len(header):
            raise DataError(
                f"{path} must have the {len(header)} columns of its header in each row, but row {number} has {len(row)}"
            )
    return header, rows


def _classes(
    path: Path, column: str, texts: list[str]
) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    names, numbers = _names(texts), _parsed(texts)
    many = len(names) > MOST_CATEGORIES
    if many and numbers is not None and (numbers % 1 != 0).any():
        raise DataError(
            f"column {column!r} of {path} must hold classes, but holds {len(names)} numbers such as {texts[0]}: "
            "are they the targets of a regression?"
        )
    return names, np.array([names.index(text) for text in texts], np.int64)


def _names(texts: list[str]) -> tuple[str, ...]:
    different = set(texts)
    try:
        return tuple(sorted(different, key=float))
    except ValueError:
        return tuple(sorted(different))


def _parsed(texts: list[str]) -> NDArray[np.float64] | None:
    try:
        found = [math.nan if text.strip().lower() in MISSING else float(text) for text in texts]
    except ValueError:
        return None
    return np.array(found)


def _number(path: Path, name: str, texts: list[str]) -> NDArray[np.float64]:
    found = _parsed(texts)
    if found is None:
        raise DataError(f"column {name!r} of {path} must hold numbers, but holds other texts")
    return found


def _features(path: Path, name: str, texts: list[str]) -> NDArray[np.float64]:
    """One column of numbers, or one for each text, [N, columns]."""
    if (found := _parsed(texts)) is not None:
        return found[:, None]
    plain = [text.strip() for text in texts]
    different = sorted(text for text in set(plain) if text.lower() not in MISSING)
    if len(different) > MOST_CATEGORIES:
        raise DataError(
            f"column {name!r} of {path} must hold numbers or at most {MOST_CATEGORIES} texts, but holds {len(different)}"
        )
    return np.array([[text == each for each in different] for text in plain], np.float64)
