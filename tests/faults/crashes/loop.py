"""Kills a search again and again, and looks each time whether something that was acknowledged is lost.

python -m tests.faults.crashes.loop KILLS [hasty|buffered|unsynced]

prints how many kills there were, how many searches came to their end, and what was wrong. Processes are
forked from this one, which has imported what they need.
"""

import json
import os
import random
import signal
import sys
import time
import traceback
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

from nas.runs.directory import packed_path, weights_path
from nas.runs.journal import JOURNAL_NAME, Journal
from nas.runs.journal_format import decode_journal
from tests.faults.crashes.disk import lose_power, noted_sync
from tests.faults.crashes.search import BAD, files, run

FAULTS = "random time", "before write", "torn write", "before fsync", "after fsync"
WRITES, SYNCS, SECONDS = 6, 30, 0.15
"""A process is killed at one of so many first writes or syncs, or within so many seconds."""


@dataclass(frozen=True)
class Place:
    """The run directory `out`, and beside it what was acknowledged and synced."""

    folder: Path

    @property
    def out(self) -> Path:
        return self.folder / "parent" / "out"

    @property
    def acknowledged(self) -> Path:
        return self.folder / "acknowledged"

    @property
    def synced(self) -> Path:
        return self.folder / "synced"


def start(place: Place, fault: str, at: int, bad: str) -> int:
    """Forks a process that searches, and is killed at a call."""
    place.out.parent.mkdir(parents=True, exist_ok=True)
    child = os.fork()
    if child:
        return child
    try:
        os.setsid()
        _search(place, fault, at, bad)
        os._exit(0)
    except BaseException:
        traceback.print_exc()
        os._exit(1)


def _search(place: Place, fault: str, at: int, bad: str) -> None:
    write = os.write
    opened = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    log, said = (os.open(path, opened) for path in (place.synced, place.acknowledged))
    sync, written, synced = noted_sync(log, write), count(1), count(1)

    def writes(descriptor: int, data: bytes) -> int:
        if next(written) == at:
            if fault == "torn write":
                write(descriptor, data[: len(data) // 2])
            if fault in ("before write", "torn write"):
                os.kill(os.getpid(), signal.SIGKILL)
        return write(descriptor, data)

    def syncs(descriptor: int) -> None:
        number = next(synced)
        if (number, fault) == (at, "before fsync"):
            os.kill(os.getpid(), signal.SIGKILL)
        sync(descriptor)
        if (number, fault) == (at, "after fsync"):
            os.kill(os.getpid(), signal.SIGKILL)

    def acknowledge(id: int) -> None:
        write(said, f"{id}\n".encode())

    os.write = writes  # type: ignore[assignment]
    os.fsync = syncs  # type: ignore[assignment]
    if bad:
        Journal.append = BAD[bad](acknowledge)  # type: ignore[assignment, method-assign]
    run(place.out, acknowledge)


def ended(child: int) -> int:
    """The status with which a process ended, below 0 for a signal.

    Its workers, which are forked here and so hold its lock, end too.
    """
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    with suppress(ProcessLookupError):
        while True:
            os.killpg(child, signal.SIGKILL)
            time.sleep(0.001)
    return status


def content(out: Path) -> bytes:
    path = out / JOURNAL_NAME
    return path.read_bytes() if path.exists() else b""


def wrong(place: Place, reference: bytes) -> str:
    """What was acknowledged and is not on the disk, or is not as it should be; empty if all is well."""
    journal = content(place.out)
    journal = journal[: journal.rfind(b"\n") + 1]
    if not reference.startswith(journal):
        return "the journal holds what the search does not find"
    evaluations = decode_journal(place.out, journal)[1]
    said = place.acknowledged.read_bytes().split() if place.acknowledged.exists() else []
    if lost := {int(id) for id in said} - {each.id for each in evaluations}:
        return f"lost {sorted(lost)}"
    for each in evaluations:
        paths = weights_path(place.out, each.id), packed_path(place.out, each.id)
        wanted = files(each.genotype) if each.metrics else (None, None)
        if tuple(path.read_bytes() if path.exists() else None for path in paths) != wanted:
            return f"the files of {each.id} are not those of its record"
    return ""


def killed(place: Place, fault: str, bad: str, chance: random.Random) -> bool:
    """Whether a process that goes on with the search was killed before it came to the end."""
    child = start(place, fault, chance.randint(1, WRITES if "write" in fault else SYNCS), bad)
    if fault == "random time":
        time.sleep(chance.uniform(0.0, SECONDS))
        os.kill(child, signal.SIGKILL)
    if (status := ended(child)) > 0:
        raise RuntimeError(f"a search must be killed or end, but ended with status {status}")
    # What a torn write leaves would not outlive the power.
    if status and fault != "torn write" and chance.random() < 0.5 and place.synced.exists():
        lose_power(place.out.parent, place.synced)
    return status != 0


def crash(kills: int, bad: str, folder: Path) -> tuple[int, str]:
    """How many searches came to their end in so many kills, and what was wrong. The last one is stopped
    and goes on, some times.
    """
    chance, whole, done = random.Random(0), Place(folder / "whole"), 0
    if ended(start(whole, "", 0, "")) != 0:
        raise RuntimeError("a search that is left alone must end")
    reference = content(whole.out)
    place = Place(folder / "0")
    for number in range(kills):
        fault = FAULTS[number * len(FAULTS) // kills]
        while not killed(place, fault, bad, chance):
            done += 1
            if found := _unlike(place, reference):
                return done, found
            place = Place(folder / str(done))
        if found := wrong(place, reference):
            return done, f"{fault}, kill {number}: {found}"
    child = start(place, "", 0, bad)
    for number in (signal.SIGSTOP, signal.SIGCONT) * 3:
        time.sleep(chance.uniform(0.0, SECONDS / 2))
        os.kill(child, number)
    ended(child)
    return done + 1, _unlike(place, reference)


def _unlike(place: Place, reference: bytes) -> str:
    unlike = content(place.out) != reference
    return (
        "the journal is not that of a run that was left alone"
        if unlike
        else wrong(place, reference)
    )


if __name__ == "__main__":
    with TemporaryDirectory() as made:
        kills, bad = int(sys.argv[1]), "".join(sys.argv[2:])
        done, found = crash(kills, bad, Path(made))
    sys.stdout.write(json.dumps({"kills": kills, "searches": done, "wrong": found}) + "\n")
