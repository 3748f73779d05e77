"""Tabular benchmarks: a table with the measurements of every trained design."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas.space import Choice, Choices, Genotype

_FACTS = (
    "params",
    "macs",
    "latency_ms",
    "energy_mj",
    "size_bytes",
    "flash_bytes",
    "peak_memory_bytes",
)


@dataclass(frozen=True)
class TabularBenchmark:
    """The measurements of N designs.

    Args:
        name: The name of the file.
        choices: The space of the designs.
        rows: The row of each measured design; designs may be missing.
        columns: The measurements, float64 [N], by name.
    """

    name: str
    choices: Choices
    rows: Mapping[Genotype, int]
    columns: Mapping[str, NDArray[np.float64]]


def is_fact(column: str) -> bool:
    """Whether a column is known before training, as "macs" and "latency_ms_raspi4" are."""
    return any(column == fact or column.startswith(f"{fact}_") for fact in _FACTS)


def cost_column(search_on: str) -> str:
    """The column with the cost of a query: "train_seconds_12ep" for "val_acc_12ep"."""
    return f"train_seconds_{search_on.rpartition('_')[2]}"


def fidelities(search_on: str, columns: Iterable[str]) -> list[tuple[int, str]]:
    """The columns of the same measurement after fewer epochs, behind these, ascending.

    >>> fidelities("val_acc_200ep", ["val_acc_12ep", "test_acc_12ep", "val_acc_200ep"])
    [(12, 'val_acc_12ep')]
    """
    stem, epochs = split_epochs(search_on)
    found = sorted(
        (split_epochs(name)[1], name) for name in columns if split_epochs(name)[0] == stem
    )
    return [(fewer, name) for fewer, name in found if 0 < fewer < epochs]


def split_epochs(column: str) -> tuple[str, int]:
    """What a column measures and after how many epochs, 0 if its name does not say so."""
    stem, _, last = column.rpartition("_")
    number = last.removesuffix("ep")
    return (stem, int(number)) if number != last and number.isdecimal() else (column, 0)


def read_benchmark(
    path: Path, wanted: Sequence[str], fewer_epochs: bool = False
) -> TabularBenchmark:
    """Reads the `wanted` columns of an `.npz` archive, its columns of facts (`is_fact`), and the
    costs of queries (`cost_column`) if it has them; with `fewer_epochs` also the columns of the
    first one after fewer epochs (`fidelities`).

    Its array `ops`, integers [N, choices], holds the genotypes in any order; designs may be
    missing. The number of options of a choice is its largest gene plus 1.

    Raises:
        ValueError: if the file is not such an archive, a column is missing or not finite, a fact is
            negative, a design occurs twice, or no design has some option below the largest.
    """
    arrays = _arrays(path)
    present = tuple(
        name
        for name, array in arrays.items()
        if name != "ops" and array.dtype.kind in "iuf" and array.ndim == 1
    )
    for name in wanted:
        if name not in present:
            raise ValueError(f"{path} must have a numerical column {name!r}, but has {present}")
    if fewer_epochs:
        wanted = [*wanted, *(name for _, name in fidelities(wanted[0], present))]
    costs = {cost_column(name) for name in wanted}
    read = [name for name in present if name in wanted or name in costs or is_fact(name)]
    choices, genotypes = _designs(path, arrays.get("ops"))
    columns = {name: arrays[name].astype(np.float64) for name in read}
    for name, column in columns.items():
        if len(column) != len(genotypes):
            raise ValueError(
                f"{name!r} in {path} must have a value for each of {len(genotypes)} rows, but has {len(column)}"
            )
        if not np.isfinite(column).all():
            row = int(np.flatnonzero(~np.isfinite(column))[0])
            raise ValueError(
                f"{name!r} in {path} must be finite, but is {column[row]} in row {row}"
            )
        if is_fact(name) and (column < 0).any():
            raise ValueError(
                f"{name!r} in {path} must be 0 or more, but its smallest value is {column.min()}"
            )
        if name.startswith("train_seconds_") and not (column > 0).all():
            raise ValueError(
                f"{name!r} in {path} must be above 0, but its smallest value is {column.min()}"
            )
    return TabularBenchmark(
        path.name, choices, {genotype: row for row, genotype in enumerate(genotypes)}, columns
    )


def _arrays(path: Path) -> dict[str, NDArray[Any]]:
    if not path.is_file():
        raise ValueError(
            f"a tabular benchmark must be an .npz archive, but {path} is {'not a file' if path.exists() else 'missing'}"
        )
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (
        OSError,
        EOFError,
        ValueError,
        TypeError,
        RuntimeError,
        zlib.error,
        zipfile.BadZipFile,
    ) as error:
        raise ValueError(
            f"a tabular benchmark must be an .npz archive without pickles, but {path} cannot be read: {error}"
        ) from error


def _designs(path: Path, ops: NDArray[Any] | None) -> tuple[Choices, list[Genotype]]:
    if ops is None or ops.dtype.kind not in "iu" or ops.ndim != 2 or ops.shape[1] < 1:
        found = "has none" if ops is None else f"has {ops.dtype} {list(ops.shape)}"
        raise ValueError(f"{path} must have 'ops', integers [rows, choices], but {found}")
    if len(ops) < 2:
        raise ValueError(f"{path} must have at least 2 rows, but has {len(ops)}")
    if ops.min() < 0:
        raise ValueError(
            f"'ops' in {path} must be 0 or more, but its smallest value is {ops.min()}"
        )
    unique, counts = np.unique(ops, axis=0, return_counts=True)
    if len(unique) < len(ops):
        repeated = tuple(unique[counts.argmax()].tolist())
        raise ValueError(
            f"the rows of 'ops' in {path} must be unique, but {repeated} occurs {counts.max()} times"
        )
    arities = (ops.max(0).astype(int) + 1).tolist()
    for index, arity in enumerate(arities):
        # One stray index would have a strategy propose what no design has.
        if unused := sorted(set(range(min(arity, len(ops) + 1))) - set(ops[:, index].tolist())):
            raise ValueError(
                f"column {index} of 'ops' in {path} must have every option from 0 to its largest, "
                f"{arity - 1}, but never has {unused[0]}"
            )
    choices = Choices(
        Choice(f"position{index}", "op", tuple(range(arity))) for index, arity in enumerate(arities)
    )
    return choices, [tuple(row) for row in ops.tolist()]
