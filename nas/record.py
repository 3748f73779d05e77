"""The journal of a run directory: one line for the experiment, then one for each evaluation, never lost once written."""

import fcntl
import json
import os
import zlib
from collections.abc import Hashable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from nas import durable
from nas.objective import Epoch, Evaluation, Status

NAME = "journal.jsonl"
TEST_NAME = "test.json"
WEIGHTS, PACKED = "weights", "packed"
FORMAT = "compact-nas journal"
VERSION = 1

Header = Mapping[str, Any]


class RunDirectoryError(ValueError):
    """A run directory that cannot be used, with its path and the reason."""


def _line(record: Mapping[str, Any]) -> bytes:
    body = json.dumps(record, allow_nan=False)
    return f'{{"crc": "{zlib.crc32(body.encode()):08x}", "record": {body}}}\n'.encode()


def _parse(line: bytes, where: str) -> dict[str, Any]:
    try:
        outer = json.loads(line)
        record = outer["record"]
        if not isinstance(record, dict) or _line(record) != line:
            raise ValueError("the checksum does not match")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise RunDirectoryError(f"{where} must be an undamaged line of the journal, but {error}") from error
    return record


def _plain(option: Hashable) -> Any:
    """An option as JSON has it; what JSON cannot say is told by its repr."""
    if isinstance(option, (tuple, list)):
        return [_plain(item) for item in option]
    return option if option is None or isinstance(option, (str, int, float, bool)) else repr(option)


def to_json(evaluation: Evaluation) -> dict[str, Any]:
    """An evaluation as JSON."""
    design = {name: _plain(option) for name, option in evaluation.design.items()}
    return asdict(evaluation) | {"design": design, "metrics": dict(evaluation.metrics)}


def from_json(record: Mapping[str, Any]) -> Evaluation:
    """The evaluation that `to_json` told; tuples in its design have become lists."""
    known = {
        "genotype": tuple(record["genotype"]),
        "design": dict(record["design"]),
        "status": Status(record["status"]),
        "metrics": dict(record["metrics"]),
        "history": tuple(Epoch(**epoch) for epoch in record["history"]),
    }
    return Evaluation(**{**record, **known})


def _content(path: Path, data: bytes) -> tuple[Header, list[Evaluation], int]:
    """Header, evaluations and the length of what is whole. A last line without its end was never acknowledged."""
    whole = data.rfind(b"\n") + 1
    records, offset = [], 0
    for line in data[:whole].splitlines(keepends=True):
        records.append(_parse(line, f"{path} at byte {offset}"))
        offset += len(line)
    if not records:
        return {}, [], 0
    header = records[0]
    if header.get("format") != FORMAT or not isinstance(header.get("version"), int) or header["version"] > VERSION:
        found = f"{header.get('format')!r} version {header.get('version')!r}"
        raise RunDirectoryError(f"{path} must be a {FORMAT!r} of version {VERSION} or older, but is {found}")
    if not isinstance(header.get("experiment"), dict):
        raise RunDirectoryError(f"{path} must begin with an experiment, but with {header.get('experiment')!r}")
    try:
        evaluations = [from_json(record) for record in records[1:]]
    except (KeyError, TypeError, ValueError) as error:
        raise RunDirectoryError(
            f"{path} must hold evaluations of version {header['version']}, but one has a bad field: {error}"
        ) from error
    if [evaluation.id for evaluation in evaluations] != list(range(len(evaluations))):
        raise RunDirectoryError(f"{path} must hold the ids 0 … {len(evaluations) - 1} in order, but does not")
    return header, evaluations, whole


def read(out: Path) -> tuple[Header, list[Evaluation]]:
    """The header and the evaluations of a run directory, which another process may still be writing to.

    Raises:
        RunDirectoryError: if there is no journal, or it is damaged.
    """
    path = out / NAME
    if not path.is_file():
        raise RunDirectoryError(f"a run directory must hold {NAME}, but {out} does not")
    header, evaluations, whole = _content(path, path.read_bytes())
    if not whole:
        raise RunDirectoryError(f"{path} must begin with a header, but is empty: run the experiment again")
    return header, evaluations


@dataclass
class Journal:
    """An open journal, locked against other writers. `evaluations` is what it holds, `failed` that it takes no more."""

    path: Path
    descriptor: int
    evaluations: list[Evaluation] = field(default_factory=list)
    failed: bool = False

    def append(self, evaluation: Evaluation) -> None:
        """Adds an evaluation and returns once it is on disk.

        Raises:
            OSError: if the disk is full or refuses; the run must stop, and can be resumed.
        """
        line = _line(to_json(evaluation))
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
        RunDirectoryError: if the directory cannot be written or another process writes it, it belongs to another
            experiment, or it is damaged.
        OSError: if the disk is full or refuses.
    """
    path = out / NAME
    try:
        out.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            _check_new(out)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o666)
    except OSError as error:
        raise RunDirectoryError(f"a run directory must be a folder that can be written, but {error}") from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RunDirectoryError(f"one process at a time may write {out}, but another one does") from error
        header, evaluations, whole = _content(path, path.read_bytes())
        if whole:
            _check_same(out, header["experiment"], json.loads(json.dumps(experiment)))
        else:
            _check_new(out)
        os.ftruncate(descriptor, whole)
        # Synced each time, because the process that wrote it may have been killed before it did so.
        _write(descriptor, b"" if whole else _line({"format": FORMAT, "version": VERSION, "experiment": experiment}))
        durable.sync_folder(out)
        durable.sync_folder(out.parent)
        yield Journal(path, descriptor, evaluations)
    finally:
        os.close(descriptor)


def _check_new(out: Path) -> None:
    if any(file.name != NAME for file in out.iterdir()):
        raise RunDirectoryError(f"a run directory must be new or hold {NAME} with its header, but {out} holds other files")


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
        raise RunDirectoryError(f"{out} must be resumed with the experiment that it was made by, but {told}")


def write_test(out: Path, id: int, accuracy: float) -> None:
    """Records the test accuracy of candidate `id`, the one number that test data gives."""
    durable.write(out / TEST_NAME, json.dumps({"id": id, "accuracy": accuracy}).encode())


def read_test(out: Path) -> tuple[int, float] | None:
    """The candidate that was scored on test data, and its accuracy; None before that."""
    try:
        scored = json.loads((out / TEST_NAME).read_bytes())
        return int(scored["id"]), float(scored["accuracy"])
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise RunDirectoryError(f"{out / TEST_NAME} must hold an id and an accuracy, but is damaged: remove it") from error


def weights_path(out: Path, id: int) -> Path:
    """Where a run keeps the trained weights of candidate `id`."""
    return out / WEIGHTS / f"{id:05d}.npz"


def packed_path(out: Path, id: int) -> Path:
    """Where a run keeps the packed file of candidate `id`."""
    return out / PACKED / f"{id:05d}.nas"
