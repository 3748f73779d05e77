import errno
import os
import resource
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from nas import durable


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@contextmanager
def largest_file(count: int) -> Iterator[None]:
    """A disk that takes `count` bytes of a file and refuses the rest."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (count, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_file_is_made_or_replaced_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    for data in (b"", b"first", bytes(range(256)) * 5000, b"2"):
        durable.write(path, data)
        assert path.read_bytes() == data
        assert names(tmp_path) == ["a.json"]
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~mask


def test_the_file_is_on_disk_before_its_name_and_its_name_before_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, steps, fsync, replace = tmp_path / "a", list[str](), os.fsync, Path.replace

    def synced(descriptor: int) -> None:
        what = os.fstat(descriptor)
        if stat.S_ISDIR(what.st_mode):
            assert os.path.sameopenfile(descriptor, folder)
            steps.append("folder")
        else:
            steps.append(f"{what.st_size} bytes")
        fsync(descriptor)

    def renamed(source: Path, target: Path) -> Path:
        steps.append("rename")
        return replace(source, target)

    folder = os.open(tmp_path, os.O_RDONLY)
    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "replace", renamed)
    durable.write(path, b"12345")
    os.close(folder)
    assert steps == ["5 bytes", "rename", "folder"]


def test_a_failed_write_leaves_the_old_file_and_nothing_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EIO, "the disk refuses")

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    path = tmp_path / "a"
    path.write_bytes(b"old")
    with largest_file(4096), pytest.raises(OSError, match="File too large"):
        durable.write(path, bytes(1 << 20))
    for owner, name in ((os, "fsync"), (Path, "replace")):
        for fault, raised in ((refuse, OSError), (interrupt, KeyboardInterrupt)):
            with monkeypatch.context() as patch:
                patch.setattr(owner, name, fault)
                with pytest.raises(raised):
                    durable.write(path, b"new")
    assert (names(tmp_path), path.read_bytes()) == (["a"], b"old")


def test_where_only_the_folder_cannot_be_synced_the_new_file_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fsync = os.fsync

    def refuse_folders(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EIO, "the disk refuses")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", refuse_folders)
    with pytest.raises(OSError, match="the disk refuses"):
        durable.write(tmp_path / "a", b"new")
    assert (names(tmp_path), (tmp_path / "a").read_bytes()) == (["a"], b"new")


@pytest.mark.fault(58)
def test_links_are_replaced_and_never_written_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "run").mkdir()
    path, target = tmp_path / "run" / "a", tmp_path / "target"
    target.write_bytes(b"precious")
    durable.write(path, b"0")
    beside = beside_of(path, monkeypatch)
    for link in (beside, path):
        link.unlink(missing_ok=True)
        link.symlink_to(target)
        durable.write(path, b"1")
        assert target.read_bytes() == b"precious"
        assert (path.read_bytes(), path.is_symlink(), names(path.parent)) == (b"1", False, ["a"])
    beside.symlink_to(target)
    # Somebody who puts the link back in the moment between.
    monkeypatch.setattr(Path, "unlink", lambda *_, **__: None)
    with pytest.raises(FileExistsError):
        durable.write(path, b"2")
    assert (target.read_bytes(), path.read_bytes()) == (b"precious", b"1")


def beside_of(path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the new file stands until it is whole."""
    found, replace = list[Path](), Path.replace

    def renamed(source: Path, target: Path) -> Path:
        found.append(source)
        return replace(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", renamed)
        durable.write(path, path.read_bytes())
    return found[0]


def test_what_a_killed_writer_leaves_behind_is_cleared_away_by_the_next(tmp_path: Path) -> None:
    path = tmp_path / "a"
    durable.write(path, b"old")
    program = """
import os, signal, sys
from pathlib import Path
from nas import durable
os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)
durable.write(Path(sys.argv[1]), b"new")
"""
    subprocess.run([sys.executable, "-c", program, str(path)], check=False)
    assert (len(names(tmp_path)), path.read_bytes()) == (2, b"old")
    durable.write(path, b"1")
    assert (names(tmp_path), path.read_bytes()) == (["a"], b"1")


def test_a_file_is_whole_whenever_its_writer_is_killed(tmp_path: Path) -> None:
    program = """
import sys
from pathlib import Path
from nas import durable
for turn in range(10**9):
    durable.write(Path(sys.argv[1]), bytes([turn % 256]) * 300_000)
    print(turn, flush=True)
"""
    path = tmp_path / "a"
    for delay in (0.0, 0.0005, 0.001, 0.002, 0.003):
        with subprocess.Popen(
            [sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE
        ) as writer:
            assert writer.stdout is not None
            writer.stdout.readline()
            time.sleep(delay)
            writer.kill()
            acknowledged = len(writer.stdout.readlines())
        data = path.read_bytes()
        assert data in (
            bytes([acknowledged % 256]) * 300_000,
            bytes([(acknowledged + 1) % 256]) * 300_000,
        )
        assert len(names(tmp_path)) <= 2
