"""The journal of a run directory: what the run is, and every evaluation, never lost once written.

One process writes it, and others may read it meanwhile. A line is on disk before its result is used.
"""

import fcntl
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from nas import durable
from nas.objective import Evaluation
from nas.runs.directory import RunDirectoryError
from nas.runs.journal_format import (
    Header,
    decode_journal,
    encode_line,
    evaluation_to_json,
    header_of,
    with_present_kinds,
)

JOURNAL_NAME = "journal.jsonl"


def read_journal(out: Path) -> tuple[Header, list[Evaluation]]:
    """The header and the evaluations of a run directory.

    Raises:
        RunDirectoryError: if there is no journal, or it is damaged.
    """
    path = out / JOURNAL_NAME
    if not path.is_file():
        raise RunDirectoryError(f"a run directory must hold {JOURNAL_NAME}, but {out} does not")
    header, evaluations, length = decode_journal(path, path.read_bytes())
    if not length:
        raise RunDirectoryError(
            f"{path} must begin with a header, but is empty: run the experiment again"
        )
    return header, evaluations


def window_of(out: Path) -> int | None:
    """The window of the run that the directory `out` holds; None if it holds none that can be read,
    which `open_journal` then says.
    """
    window = _begun_with(out, "window")
    return window if type(window) is int and window >= 1 else None


def strategy_of(out: Path) -> Any:
    """The description of the strategy of the run in `out`, None as in `window_of`."""
    return _begun_with(out, "strategy")


def _begun_with(out: Path, name: str) -> Any:
    try:
        with (out / JOURNAL_NAME).open("rb") as file:
            return json.loads(file.readline())["record"]["experiment"][name]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


@dataclass
class Journal:
    """An open journal, locked against other writers; made by `open_journal`.

    `path` is the file, `descriptor` an open file descriptor of it, and `evaluations` are those that
    it holds. After a write has `failed` it takes no more.
    """

    path: Path
    descriptor: int
    evaluations: list[Evaluation] = field(default_factory=list)
    failed: bool = False

    def append(self, evaluation: Evaluation) -> None:
        """Adds an evaluation, and returns once it is on disk.

        Raises:
            OSError: if writing fails. The run must then end, and can be resumed.
        """
        line = encode_line(evaluation_to_json(evaluation))
        if self.failed:
            raise OSError(f"{self.path} must be opened again after a failed write")
        # Lines behind a torn one could not be read.
        self.failed = True
        _write(self.descriptor, line)
        self.failed = False
        self.evaluations.append(evaluation)


def _write(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]
    os.fsync(descriptor)


class Networks(Protocol):
    """Networks that a space builds, as `nas.runs.built_networks` describes them."""

    def describe(self) -> Sequence[Mapping[str, Any]]:
        """Some of them as JSON, for the header of a new run."""
        ...

    def check(self, out: Path, stored: Sequence[Mapping[str, Any]]) -> None:
        """Raises a RunDirectoryError if the space builds others than the header of `out` says."""
        ...


@contextmanager
def open_journal(
    out: Path, experiment: Mapping[str, Any], networks: Networks | None = None
) -> Iterator[Journal]:
    """Opens the journal of the run directory `out` for writing, and creates it if it is missing.

    `experiment` is the description of the experiment, which must be the one in the header, and
    `networks` are those that its space builds, which must be those in the header, if it has some
    (None: they are not checked).

    Raises:
        RunDirectoryError: if the directory cannot be written, another process writes it, it belongs
            to another experiment, or it is damaged.
        OSError: if writing fails.
    """
    path = out / JOURNAL_NAME
    try:
        out.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            _check_new(out)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o666)
    except OSError as error:
        raise RunDirectoryError(
            f"a run directory must be a folder that can be written, but {error}"
        ) from error
    try:
        _lock(descriptor, out)
        header, evaluations, length = decode_journal(path, path.read_bytes())
        if length:
            _check_same(out, header["experiment"], with_present_kinds(experiment))
            if networks is not None:
                networks.check(out, header.get("networks", []))
            missing = b""
        else:
            _check_new(out)
            described = None if networks is None else networks.describe()
            missing = encode_line(header_of(experiment, described))
        os.ftruncate(descriptor, length)
        # Synced even if nothing is missing: an earlier process may have been killed before it did.
        _write(descriptor, missing)
        durable.sync_folder(out)
        durable.sync_folder(out.parent)
        yield Journal(path, descriptor, evaluations)
    finally:
        os.close(descriptor)


def _lock(descriptor: int, out: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise RunDirectoryError(
            f"one process at a time may write {out}, but another one does"
        ) from error


def _check_new(out: Path) -> None:
    if any(file.name != JOURNAL_NAME for file in out.iterdir()):
        raise RunDirectoryError(
            f"a run directory must be new or hold {JOURNAL_NAME} with its header, but {out} holds other files"
        )


def _check_same(out: Path, stored: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    old, new = _flat(stored), _flat(given)
    names = sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name))
    if names:
        changes = "; ".join(
            f"{name} was {old.get(name)!r} and is {new.get(name)!r}" for name in names
        )
        raise RunDirectoryError(
            f"{out} must be resumed with the experiment that it was made by, but {changes}: "
            "give another --out to begin another run"
        )


def _flat(nested: Mapping[str, Any]) -> dict[str, Any]:
    """Nested dictionaries as one, with dotted keys."""
    flat, left = dict[str, Any](), dict[str, Any](nested)
    while left:  # not recursive, because a damaged header may be nested deeper than Python recurses
        name, value = left.popitem()
        if isinstance(value, dict):
            left |= {f"{name}.{key}": item for key, item in value.items()}
        else:
            flat[name] = value
    return flat
