"""Files that are written completely or not at all, even if the power fails."""

import os
from pathlib import Path

from nas.regular_file import check_replaceable


def write(path: Path, data: bytes) -> None:
    """Writes `data` to a new file next to `path` and renames it there, flushed to disk at each step.

    One process at a time may write a path.

    Raises:
        ValueError: if `path` is a device, a pipe, a socket or a folder.
        OSError: if writing fails; `path` then has all of its old content, or all of the new.
    """
    check_replaceable(path)
    # A fixed name, so that the next attempt removes what a killed one left.
    part = path.with_name(f".{path.name}.part")
    part.unlink(missing_ok=True)
    # O_EXCL and O_NOFOLLOW: a file or link that appears there meanwhile is not written through.
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o666)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Flushes the entries of `folder` to disk, so that new names survive a power failure."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
