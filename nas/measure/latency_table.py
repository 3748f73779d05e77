"""A device whose latency is the sum of those of its operations, from a table."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import combinations
from math import inf
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas import durable
from nas.measure.geometry import Geometry, geometries
from nas.program.program import Program
from nas.regular_file import read_regular

FORMAT, VERSION = "latency table", 1
FEWEST_TO_FIT = 4
MOST_BYTES = 2**26
"""The longest file that is read."""


@dataclass(frozen=True)
class LatencyTable:
    """Latencies of operations on a host.

    `host` describes it. `call` is the time of a program without operations, in seconds, and
    `seconds` are the times of operations, each alone. `slowdown` is the time of operations inside a
    program relative to that alone, where their weights stay in the cache.

    Raises:
        ValueError: if a number is negative or not finite, or `call` or `slowdown` is 0.
    """

    host: str
    call: float
    slowdown: float
    seconds: Mapping[Geometry, float]

    def __post_init__(self) -> None:
        if not (0 < self.call < inf and 0 < self.slowdown < inf):
            raise ValueError(
                f"call and slowdown must be positive and finite, but got {self.call} and {self.slowdown}"
            )
        for operation, seconds in self.seconds.items():
            if not (0 <= seconds < inf and min(operation.macs, operation.bytes) >= 0):
                raise ValueError(
                    f"numbers must be finite and not negative, but got {seconds} and {operation}"
                )

    @property
    def digest(self) -> str:
        """A hash of the table, 16 hexadecimal digits."""
        return hashlib.sha256(json.dumps(_to_json(self)).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class TableDevice:
    """A device whose latencies are looked up in `table`; `name` is for messages.

    The time of an operation that is missing is estimated as a + b · MACs + c · bytes, with a, b and
    c not negative, by least squares over the operations of the same kind, at least 4.
    """

    name: str
    table: LatencyTable

    def latency(self, program: Program) -> float:
        """The latency for one sample, in seconds.

        Raises:
            ValueError: if operations can neither be looked up nor estimated; the message names them
                all.
        """
        unknown = [
            operation
            for operation in self.missing(program)
            if len(self._of_kind.get(operation.kind, [])) < FEWEST_TO_FIT
        ]
        if unknown:
            listed = "; ".join(f"{operation.kind} {operation.shapes}" for operation in unknown)
            raise ValueError(
                f"{self.name!r} must know these operations, or {FEWEST_TO_FIT} of their kind, but lacks: {listed}"
            )
        return self.table.call + self.table.slowdown * sum(map(self._seconds, geometries(program)))

    def missing(self, program: Program) -> list[Geometry]:
        """The different operations of a program that are not in the table."""
        different = dict.fromkeys(geometries(program))
        return [operation for operation in different if operation not in self.table.seconds]

    def _seconds(self, operation: Geometry) -> float:
        if operation in self.table.seconds:
            return self.table.seconds[operation]
        return float(_features([operation])[0] @ self._coefficients[operation.kind])

    @cached_property
    def _of_kind(self) -> Mapping[str, Sequence[Geometry]]:
        kinds = dict.fromkeys(known.kind for known in self.table.seconds)
        return {
            kind: [known for known in self.table.seconds if known.kind == kind] for kind in kinds
        }

    @cached_property
    def _coefficients(self) -> Mapping[str, NDArray[np.float64]]:
        return {
            kind: _fit(_features(known), np.array([self.table.seconds[each] for each in known]))
            for kind, known in self._of_kind.items()
        }


def _features(operations: Sequence[Geometry]) -> NDArray[np.float64]:
    """[operations, 3]: one, MACs and bytes."""
    return np.array([(1.0, operation.macs, operation.bytes) for operation in operations])


def _fit(features: NDArray[np.float64], seconds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Coefficients of least squared error that are not negative, by trying every subset of the
    three features.
    """
    best, least = np.zeros(3), inf
    subsets = (list(subset) for count in (1, 2, 3) for subset in combinations(range(3), count))
    for columns in subsets:
        fitted = np.zeros(3)
        fitted[columns] = np.linalg.lstsq(features[:, columns], seconds, rcond=None)[0]
        error = float(((features @ fitted - seconds) ** 2).sum())
        if fitted.min() >= 0 and error < least:
            best, least = fitted, error
    return best


def write_latency_table(table: LatencyTable, path: Path) -> None:
    """Writes a table as JSON.

    Raises:
        OSError: if writing fails.
    """
    durable.write(path, json.dumps(_to_json(table), indent=1).encode())


def _to_json(table: LatencyTable) -> dict[str, Any]:
    rows = [
        {**asdict(operation), "seconds": seconds} for operation, seconds in table.seconds.items()
    ]
    head = {
        "format": FORMAT,
        "version": VERSION,
        "host": table.host,
        "call": table.call,
        "slowdown": table.slowdown,
    }
    return {**head, "operations": rows}


def read_latency_table(path: Path) -> LatencyTable:
    """The table in a file that `write_latency_table` wrote.

    Raises:
        ValueError: if the file is damaged, or of another format or version.
        OSError: if it cannot be read.
    """
    try:
        stored = json.loads(read_regular(path, MOST_BYTES))
        if (stored["format"], _typed(stored["version"], int)) != (FORMAT, VERSION):
            raise ValueError(f"it is a {stored['format']!r} of version {stored['version']!r}")
        rows = [
            [_typed(row[field], kind) for field, kind in _FIELDS.items()]
            for row in stored["operations"]
        ]
        seconds = {Geometry(*row[:-1]): row[-1] for row in rows}
        if len(seconds) != len(rows):
            raise ValueError("an operation appears twice")
        return LatencyTable(
            _typed(stored["host"], str),
            _typed(stored["call"], float),
            _typed(stored["slowdown"], float),
            seconds,
        )
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(
            f"{path} must hold a {FORMAT} of version {VERSION}, but does not: {error!r}"
        ) from error


_FIELDS: Mapping[str, type] = {
    "kind": str,
    "shapes": str,
    "macs": int,
    "bytes": int,
    "seconds": float,
}


def _typed(value: object, kind: type) -> Any:
    if type(value) is not kind:  # not isinstance, because True is an int
        raise TypeError(f"{value!r} is not of type {kind.__name__}")
    return value
