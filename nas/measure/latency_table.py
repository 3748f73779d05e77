"""A device known by how long its operations take."""

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

FORMAT, VERSION = "latency table", 1
FEWEST = 4


@dataclass(frozen=True)
class LatencyTable:
    """The seconds, on a host, of a call that only takes in and gives out a sample, and of each
    operation alone.

    `slowdown` is how many times as long operations take inside a program as alone, where their
    weights stay in the cache.

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
                f"call and slowdown must be positive and finite, but are {self.call} and {self.slowdown}"
            )
        for found, seconds in self.seconds.items():
            if not (0 <= seconds < inf and min(found.macs, found.bytes) >= 0):
                raise ValueError(
                    f"numbers must be finite and not negative, but are {seconds} and {found}"
                )

    @property
    def digest(self) -> str:
        """Sixteen hexadecimal digits that change when any number does."""
        return hashlib.sha256(json.dumps(_stored(self)).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class TableDevice:
    """A device that looks operations up, and estimates those that are missing from others of their
    kind.

    Estimated seconds are a + b · MACs + c · bytes, none of them negative, by least squares over all
    that the table has of the kind, which must be 4 at least.
    """

    name: str
    table: LatencyTable

    def latency(self, program: Program) -> float:
        """Seconds for one sample.

        Raises:
            ValueError: if operations can neither be looked up nor estimated; the message names them
                all.
        """
        unknown = [
            found
            for found in self.missing(program)
            if len(self._of_kind.get(found.kind, [])) < FEWEST
        ]
        if unknown:
            listed = "; ".join(f"{found.kind} {found.shapes}" for found in unknown)
            raise ValueError(
                f"{self.name!r} must know these operations, or {FEWEST} of their kind, but lacks: {listed}"
            )
        return self.table.call + self.table.slowdown * sum(map(self._seconds, geometries(program)))

    def missing(self, program: Program) -> list[Geometry]:
        """The operations that the table lacks, each once."""
        return [
            found for found in dict.fromkeys(geometries(program)) if found not in self.table.seconds
        ]

    def _seconds(self, found: Geometry) -> float:
        if found in self.table.seconds:
            return self.table.seconds[found]
        return float(_features([found])[0] @ self._fits[found.kind])

    @cached_property
    def _of_kind(self) -> Mapping[str, Sequence[Geometry]]:
        kinds = dict.fromkeys(known.kind for known in self.table.seconds)
        return {
            kind: [known for known in self.table.seconds if known.kind == kind] for kind in kinds
        }

    @cached_property
    def _fits(self) -> Mapping[str, NDArray[np.float64]]:
        return {
            kind: _fitted(_features(known), np.array([self.table.seconds[each] for each in known]))
            for kind, known in self._of_kind.items()
        }


def _features(known: Sequence[Geometry]) -> NDArray[np.float64]:
    return np.array([(1.0, each.macs, each.bytes) for each in known])


def _fitted(features: NDArray[np.float64], seconds: NDArray[np.float64]) -> NDArray[np.float64]:
    """The coefficients of least squared error among those that are not negative: of three features,
    every subset is tried.
    """
    best, least = np.zeros(3), inf
    for columns in (
        list(chosen) for count in (1, 2, 3) for chosen in combinations(range(3), count)
    ):
        found = np.zeros(3)
        found[columns] = np.linalg.lstsq(features[:, columns], seconds, rcond=None)[0]
        error = float(((features @ found - seconds) ** 2).sum())
        if found.min() >= 0 and error < least:
            best, least = found, error
    return best


def write(table: LatencyTable, path: Path) -> None:
    """Writes a table as JSON.

    Raises:
        OSError: if the disk is full or refuses.
    """
    durable.write(path, json.dumps(_stored(table), indent=1).encode())


def _stored(table: LatencyTable) -> dict[str, Any]:
    rows = [{**asdict(found), "seconds": seconds} for found, seconds in table.seconds.items()]
    head = {
        "format": FORMAT,
        "version": VERSION,
        "host": table.host,
        "call": table.call,
        "slowdown": table.slowdown,
    }
    return {**head, "operations": rows}


def read(path: Path) -> LatencyTable:
    """The table of a file.

    Raises:
        ValueError: if the file is damaged, or of another format or version.
        OSError: if it cannot be read.
    """
    try:
        stored = json.loads(path.read_bytes())
        if (stored["format"], _typed(stored["version"], int)) != (FORMAT, VERSION):
            raise ValueError(f"it is a {stored['format']!r} of version {stored['version']!r}")
        rows = [
            [_typed(row[field], kind) for field, kind in _FIELDS.items()]
            for row in stored["operations"]
        ]
        seconds = {Geometry(*row[:-1]): row[-1] for row in rows}
        if len(seconds) != len(rows):
            raise ValueError("it has an operation twice")
        return LatencyTable(
            _typed(stored["host"], str),
            _typed(stored["call"], float),
            _typed(stored["slowdown"], float),
            seconds,
        )
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(
            f"{path} must hold a {FORMAT} of version {VERSION}, but has: {error!r}"
        ) from error


_FIELDS: Mapping[str, type] = {
    "kind": str,
    "shapes": str,
    "macs": int,
    "bytes": int,
    "seconds": float,
}


def _typed(value: object, kind: type) -> Any:
    if type(value) is not kind:
        raise TypeError(f"{value!r}, where a {kind.__name__} should be")
    return value
