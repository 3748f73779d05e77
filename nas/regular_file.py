"""Paths that users name: only regular files are read, to a bounded length, or replaced."""

import os
import stat
from pathlib import Path


def read_regular(path: Path, most_bytes: int) -> bytes:
    """The content of a file.

    Raises:
        ValueError: if it is a device, a pipe or a folder, or longer than `most_bytes`.
        OSError: if it cannot be read.
    """
    # Without O_NONBLOCK, opening a pipe waits for someone to write to it.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        _check_regular(path, os.fstat(descriptor).st_mode)
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            data = file.read(most_bytes + 1)
    finally:
        os.close(descriptor)
    if len(data) > most_bytes:
        raise ValueError(f"{path} must have at most {most_bytes:,} bytes, but has more")
    return data


def check_replaceable(path: Path) -> None:
    """Checks that a file may take the place of what `path` names. A link counts as itself.

    Raises:
        ValueError: if it is a device, a pipe, a socket or a folder.
        OSError: if that cannot be told.
    """
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISLNK(mode):
        _check_regular(path, mode)


def check_target(path: Path) -> None:
    """Checks where a file is to be written, before the work whose result it gets.

    Raises:
        ValueError: if `path` cannot name a file or lies in no folder, or as `check_replaceable`.
    """
    try:
        is_in_a_folder = path.parent.is_dir()
        check_replaceable(path)
    except OSError as error:  # such as a name that is too long
        raise ValueError(f"{path} must name a file, but {error}") from error
    if not is_in_a_folder:
        raise ValueError(f"{path} must lie in a folder that exists, but {path.parent} is none")


def _check_regular(path: Path, mode: int) -> None:
    if not stat.S_ISREG(mode):
        kinds = {
            stat.S_IFDIR: "a folder",
            stat.S_IFIFO: "a pipe",
            stat.S_IFSOCK: "a socket",
            stat.S_IFCHR: "a device",
            stat.S_IFBLK: "a device",
        }
        found = kinds.get(stat.S_IFMT(mode), "something else")
        raise ValueError(f"{path} must be a file, but is {found}")
