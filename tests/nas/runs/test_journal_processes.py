import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from nas.runs.directory import RunDirectoryError
from nas.runs.journal import JOURNAL_NAME, open_journal, read_journal
from tests.nas.runs.journals import EXPERIMENT, content, evaluation, recorded

WRITER = """
import os, signal, sys
from pathlib import Path
from nas.objective import Evaluation, Status
from nas.runs.journal import open_journal

out, count, fault, at = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
write, fsync, calls = os.write, os.fsync, {"write": 0, "fsync": 0}

def die():
    os.kill(os.getpid(), signal.SIGKILL)

def writes(descriptor, data):
    calls["write"] += 1
    if calls["write"] == at:
        if fault == "before write":
            die()
        elif fault == "torn write":
            write(descriptor, data[: len(data) // 2])
            die()
    return write(descriptor, data)

def syncs(descriptor):
    calls["fsync"] += 1
    if calls["fsync"] == at and fault == "before fsync":
        die()
    fsync(descriptor)
    if calls["fsync"] == at and fault == "after fsync":
        die()

def acknowledge(id):
    write(1, f"{id}\\n".encode())

os.write, os.fsync = writes, syncs
with open_journal(out, {"seed": 0}) as opened:
    acknowledge("open")
    for id in range(len(opened.evaluations), count):
        if fault == "hasty":
            acknowledge(id)
            calls["write"] += id == at
            if id == at:
                die()
        design, metrics = {"op": "x" * 200}, {"accuracy": 1 / (id + 1)}
        opened.append(Evaluation(id=id, genotype=(id, 1), design=design, status=Status.OK, reason="", metrics=metrics, seconds=0.0))
        if fault != "hasty":
            acknowledge(id)
    if fault == "wait":
        sys.stdin.readline()
"""


def start(out: Path, count: int, fault: str = "", at: int = 0) -> subprocess.Popen[str]:
    """A process that appends evaluations and prints the ids that were acknowledged."""
    arguments = [sys.executable, "-c", WRITER, str(out), str(count), fault, str(at)]
    return subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def lost(out: Path, process: subprocess.Popen[str], lines: int | None = None) -> set[int]:
    """What a process had acknowledged, but did not leave on disk, when it was killed after that
    many lines or by itself.
    """
    assert process.stdout is not None
    acknowledged = []
    with process:
        if lines is not None:
            acknowledged = [process.stdout.readline() for _ in range(lines)]
            process.kill()
        acknowledged += process.stdout.readlines()
    assert process.returncode == -signal.SIGKILL
    ids = {int(line) for line in acknowledged if line.strip().isdigit()}
    # Looked at before the next start, which would make again what is missing.
    left = read_journal(out)[1] if (out / JOURNAL_NAME).read_bytes().count(10) else []
    assert [found.metrics["accuracy"] for found in left] == [
        1 / (id + 1) for id in range(len(left))
    ]
    return ids - {found.id for found in left}


COUNT = 60


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    out = tmp_path_factory.mktemp("undisturbed")
    with start(out, COUNT) as process:
        process.communicate()
    assert len(read_journal(out)[1]) == COUNT
    return content(out)


@pytest.mark.fault(16)
def test_a_run_killed_at_random_loses_nothing_and_ends_the_same(
    tmp_path: Path, undisturbed: bytes
) -> None:
    chance = random.Random(0)
    for _ in range(6):
        assert lost(tmp_path, start(tmp_path, 10**6), chance.randrange(1, 9)) == set()
        # So that the end is not yet reached by chance.
        lines = content(tmp_path).splitlines(keepends=True)
        (tmp_path / JOURNAL_NAME).write_bytes(b"".join(lines[: COUNT - 10]))
    with start(tmp_path, COUNT) as process:
        process.communicate()
    assert content(tmp_path) == undisturbed


@pytest.mark.fault(17, 18)
def test_a_run_killed_around_each_write_and_sync_loses_nothing_and_ends_the_same(
    tmp_path: Path, undisturbed: bytes
) -> None:
    for fault in ("before write", "torn write", "before fsync", "after fsync"):
        for at in (1, 2, 5):
            assert lost(tmp_path, start(tmp_path, COUNT, fault, at)) == set()
    with start(tmp_path, COUNT) as process:
        process.communicate()
    assert content(tmp_path) == undisturbed


def test_this_check_notices_a_journal_that_acknowledges_too_early(tmp_path: Path) -> None:
    assert lost(tmp_path, start(tmp_path, COUNT, "hasty", 7)) == {7}


@pytest.mark.fault(24, 25)
def test_one_process_writes_while_others_read(tmp_path: Path) -> None:
    with start(tmp_path, 10, "wait") as process:
        assert process.stdout is not None
        while (line := process.stdout.readline()) != "9\n":
            assert line, "the writer has ended"
            found = read_journal(tmp_path)[1]
            assert [item.id for item in found] == list(range(len(found)))
        with pytest.raises(
            RunDirectoryError,
            match=rf"one process at a time may write {tmp_path}, but another one does",
        ):
            recorded(tmp_path, 11)
        assert len(read_journal(tmp_path)[1]) == 10
        process.kill()
    # The lock died with its process: there is no stale one.
    with open_journal(tmp_path, {"seed": 0}) as opened:
        assert len(opened.evaluations) == 10
        with pytest.raises(RunDirectoryError, match="one process at a time"):
            recorded(tmp_path, 11)


@pytest.mark.fault(65)
def test_the_lock_is_not_inherited_by_a_child_that_lives_on(tmp_path: Path) -> None:
    with open_journal(tmp_path, EXPERIMENT):
        command = [sys.executable, "-c", "print(flush=True); input()"]
        child = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, close_fds=False
        )
        assert child.stdout is not None
        child.stdout.readline()
    with child:
        assert recorded(tmp_path, 1) == [evaluation(0)]
        child.kill()
