"""The journal of a run directory: one line for the experiment, then one for each evaluation, never
lost once written.
"""

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nas import durable
from nas.objective import Evaluation
from nas.runs.directory import RunDirectoryError
from nas.runs.records import (
    FORMAT,
    NAME,
    VERSION,
    Header,
    contents,
    line_of,
    to_json,
    with_present_kinds,
)


def read(out: Path) -> tuple[Header, list[Evaluation]]:
    """The header and the evaluations of a run directory, which another process may still be writing
    to.

    Raises:
        RunDirectoryError: if there is no journal, or it is damaged.
    """
    path = out / NAME
    if not path.is_file():
        raise RunDirectoryError(f"a run directory must hold {NAME}, but {out} does not")
    header, evaluations, whole = contents(path, path.read_bytes())
    if not whole:
        raise RunDirectoryError(
            f"{path} must begin with a header, but is empty: run the experiment again"
        )
    return header, evaluations


@dataclass
class Journal:
    """An open journal, locked against other writers. `evaluations` is what it holds, `failed` that
    it takes no more.
    """

    path: Path
    descriptor: int
    evaluations: list[Evaluation] = field(default_factory=list)
    failed: bool = False

    def append(self, evaluation: Evaluation) -> None:
        """Adds an evaluation and returns once it is on disk.

        Raises:
            OSError: if the disk is full or refuses; the run must stop, and can be resumed.
        """
        line = line_of(to_json(evaluation))
        if self.failed:
            raise OSError(f"{self.path} must be opened again after a failed write")
        # Whatever followed a torn line would be lost with it.
        self.failed = True
        _write(self.descriptor, line)
        self.failed = False
        self.evaluations.append(evaluation)


def _write(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]
    os.fsync(descriptor)


@contextmanager
def journal(out: Path, experiment: Mapping[str, Any]) -> Iterator[Journal]:
    """The journal of `experiment` in the run directory `out`, both made if they are not there.

    Raises:
        RunDirectoryError: if the directory cannot be written or another process writes it, it
            belongs to another experiment, or it is damaged.
        OSError: if the disk is full or refuses.
    """
    path = out / NAME
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
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RunDirectoryError(
                f"one process at a time may write {out}, but another one does"
            ) from error
        header, evaluations, whole = contents(path, path.read_bytes())
        if whole:
            _check_same(out, header["experiment"], with_present_kinds(experiment))
        else:
            _check_new(out)
        os.ftruncate(descriptor, whole)
        # Synced each time, because the process that wrote it may have been killed before it did so.
        _write(
            descriptor,
            b""
            if whole
            else line_of({"format": FORMAT, "version": VERSION, "experiment": experiment}),
        )
        durable.sync_folder(out)
        durable.sync_folder(out.parent)
        yield Journal(path, descriptor, evaluations)
    finally:
        os.close(descriptor)


def _check_new(out: Path) -> None:
    if any(file.name != NAME for file in out.iterdir()):
        raise RunDirectoryError(
            f"a run directory must be new or hold {NAME} with its header, but {out} holds other files"
        )


def _flat(value: Mapping[str, Any]) -> dict[str, Any]:
    flat, left = dict[str, Any](), dict[str, Any](value)
    while left:
        name, inner = left.popitem()
        if isinstance(inner, dict):
            left |= {f"{name}.{key}": item for key, item in inner.items()}
        else:
            flat[name] = inner
    return flat


def _check_same(out: Path, recorded: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    old, new = _flat(recorded), _flat(wanted)
    names = sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name))
    if names:
        told = "; ".join(f"{name} was {old.get(name)!r} and is {new.get(name)!r}" for name in names)
        raise RunDirectoryError(
            f"{out} must be resumed with the experiment that it was made by, but {told}"
        )
