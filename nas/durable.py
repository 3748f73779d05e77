"""Files that are there whole or not at all, also after a power loss."""

import os
from pathlib import Path


def write(path: Path, data: bytes) -> None:
    """Writes `data` to a new file beside `path` and renames it there, flushed to disk at each step.

    One process at a time may write a path.

    Raises:
        OSError: if the disk is full or refuses; `path` then holds all of its old content, or all of
            the new.
    """
    # One name, so that the next attempt clears away what a killed one left behind.
    beside = path.with_name(f".{path.name}.part")
    beside.unlink(missing_ok=True)
    # O_EXCL and O_NOFOLLOW: whatever stands there by now, it is not written through.
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o666)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Makes the names of files in `folder` durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
