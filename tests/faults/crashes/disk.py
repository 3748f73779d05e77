"""What a disk keeps when the power fails: of a file what was synced, of a folder the names that were."""

import json
import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

Write = Callable[[int, bytes], int]


def noted_sync(log: int, write: Write) -> Callable[[int], None]:
    """An fsync that notes what is synced, a line each, in the file `log`, and does nothing else."""

    def sync(descriptor: int) -> None:
        found = os.fstat(descriptor)
        is_folder = stat.S_ISDIR(found.st_mode)
        kept = os.listdir(descriptor) if is_folder else found.st_size
        write(log, json.dumps([found.st_ino, kept]).encode() + b"\n")

    return sync


def lose_power(folder: Path, log: Path) -> None:
    """Takes from all that lies in a folder what was never synced."""
    kept = dict(json.loads(line) for line in log.read_text().splitlines())
    for path, _, files in os.walk(folder, topdown=False):
        for each in (Path(path, name) for name in files):
            found = each.stat()
            os.truncate(each, min(found.st_size, kept.get(found.st_ino, 0)))
        names = kept.get(Path(path).stat().st_ino, [])
        for each in Path(path).iterdir():
            if each.name not in names:
                each.unlink() if each.is_file() else shutil.rmtree(each)
