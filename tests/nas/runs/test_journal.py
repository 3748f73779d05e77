import errno
import json
import os
import random
import resource
import signal
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nas.objective import Epoch, Evaluation, Status
from nas.runs import directory, journal_format
from nas.runs.directory import RunDirectoryError
from nas.runs.journal import JOURNAL_NAME, open_journal, read_journal

EXPERIMENT: dict[str, Any] = {
    "space": {"name": "Größe", "choices": "0123"},
    "compressors": [{"name": "Pruning"}],
    "objective": {"budget": {"limits": {"size_bytes": 4096.0}}},
    "teacher": None,
    "seed": 0,
}


def evaluation(id: int) -> Evaluation:
    design = {"op": "conv\n1×1", "width": 8 * id, "prune": 0.1, "bias": True, "rank": None}
    metrics = {"accuracy": 1 / (id + 3), "size_bytes": 100.0 + id}
    return Evaluation(
        id=id,
        genotype=(0, id, 2),
        design=design,
        status=Status.OK,
        reason="",
        metrics=metrics,
        seconds=0.25,
        epochs=1.5,
        history=(Epoch(2.3, 0.5), Epoch(1 / 3, 0.75)),
    )


def recorded(out: Path, count: int) -> list[Evaluation]:
    """A run directory with so many evaluations in its journal."""
    with open_journal(out, EXPERIMENT) as opened:
        for id in range(len(opened.evaluations), count):
            opened.append(evaluation(id))
    return opened.evaluations


def content(out: Path) -> bytes:
    return (out / JOURNAL_NAME).read_bytes()


def checked(body: str) -> bytes:
    """A line with the right checksum, whatever it holds."""
    return f'{{"crc": "{zlib.crc32(body.encode()):08x}", "record": {body}}}\n'.encode()


def header(**parts: object) -> bytes:
    return checked(
        json.dumps(
            {
                "format": journal_format.FORMAT,
                "version": journal_format.VERSION,
                "experiment": EXPERIMENT,
                **parts,
            }
        )
    )


@pytest.fixture
def unsynced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a test opens hundreds of journals, the disk need not keep up."""
    monkeypatch.setattr(os, "fsync", lambda _: None)


# What is written is what is read.


def test_what_is_appended_is_read_again(tmp_path: Path) -> None:
    expected = [evaluation(id) for id in range(3)]
    expected.append(
        Evaluation(
            id=3,
            genotype=(1,),
            design={},
            status=Status.FAILED,
            reason="ValueError: ß\u2028\r\n\0",
            metrics={},
            seconds=1e-9,
        )
    )
    expected.append(
        Evaluation(
            id=4,
            genotype=(2,),
            design={},
            status=Status.OVER_BUDGET,
            reason="size_bytes 9 > 4",
            metrics={"size_bytes": 9.0},
            seconds=1e9,
            epochs=None,
        )
    )
    with open_journal(tmp_path / "deep" / "er", EXPERIMENT) as opened:
        for item in expected:
            opened.append(item)
            assert (
                opened.evaluations
                == read_journal(tmp_path / "deep" / "er")[1]
                == expected[: item.id + 1]
            )
    told, found = read_journal(tmp_path / "deep" / "er")
    assert found == expected
    assert told == {"format": "compact-nas journal", "version": 1, "experiment": EXPERIMENT}
    with open_journal(tmp_path / "deep" / "er", EXPERIMENT) as again:
        assert again.evaluations == expected


JSON = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)


@settings(deadline=None)  # a busy machine is no failure
@given(
    st.dictionaries(st.text(), JSON),
    st.dictionaries(st.text(), st.floats(allow_nan=False, allow_infinity=False)),
    st.text(),
)
def test_every_name_text_and_number_survives(
    design: dict[str, Any], metrics: dict[str, float], reason: str
) -> None:
    before = replace(evaluation(0), design=design, metrics=metrics, reason=reason)
    after = journal_format.evaluation_from_json(
        json.loads(json.dumps(journal_format.evaluation_to_json(before)))
    )
    assert after == before
    assert [type(option) for option in after.design.values()] == [
        type(option) for option in design.values()
    ]


def test_options_that_json_lacks_are_told_in_its_words() -> None:
    design = {"kernel": (3, (5, "same")), "set": frozenset({1}), "type": complex(1, 2)}
    told = journal_format.evaluation_to_json(replace(evaluation(0), design=design))["design"]
    assert told == {"kernel": [3, [5, "same"]], "set": "frozenset({1})", "type": "(1+2j)"}
    read_again = journal_format.evaluation_from_json(
        json.loads(
            json.dumps(journal_format.evaluation_to_json(replace(evaluation(0), design=design)))
        )
    )
    assert journal_format.evaluation_to_json(read_again)["design"] == told


def test_the_test_accuracy_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert directory.read_test_accuracy(tmp_path) is None
    for id, accuracy in ((3, 1 / 3), (0, 1.0)):
        directory.write_test_accuracy(tmp_path, id, accuracy)
        assert directory.read_test_accuracy(tmp_path) == (id, accuracy)
    with monkeypatch.context() as patch:
        failing(patch, "fsync", OSError(errno.EIO, "the disk fails"))
        with pytest.raises(OSError, match="the disk fails"):
            directory.write_test_accuracy(tmp_path, 1, 0.25)
    assert directory.read_test_accuracy(tmp_path) == (0, 1.0), (
        "the old one stays whole where the new one cannot be written"
    )
    for damaged in (
        b"",
        b"{",
        b"[]",
        b"3",
        b'{"id": 3}',
        b'{"id": "x", "accuracy": 1}',
        b'{"id": 1e999, "accuracy": 1}',
        b"[" * 9999,
        b"\xff",
    ):
        (tmp_path / directory.TEST_FILE).write_bytes(damaged)
        with pytest.raises(
            RunDirectoryError,
            match=r"test.json must hold an id and an accuracy, but is damaged: remove it",
        ):
            directory.read_test_accuracy(tmp_path)


# A result is on disk before it is acknowledged, and whatever fails loses none.


class Fault(BaseException):
    """Ends everything at once, as a kill does."""


def failing(
    monkeypatch: pytest.MonkeyPatch, call: str, error: BaseException, keep: int = 0
) -> list[int]:
    """From now on `os.write` or `os.fsync` raises, a write after the first `keep` bytes of it;
    returns a list of the calls.
    """
    calls, write = list[int](), os.write

    def fail(descriptor: int, data: bytes = b"") -> int:
        calls.append(descriptor)
        if keep:
            write(descriptor, data[:keep])
        raise error

    monkeypatch.setattr(os, call, fail)
    return calls


def test_a_record_is_written_whole_and_synced_before_append_returns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps, write, fsync = list[str](), os.write, os.fsync

    def synced(descriptor: int) -> None:
        steps.append(f"{content(tmp_path).count(10)} lines synced")
        fsync(descriptor)

    with open_journal(tmp_path, EXPERIMENT) as opened:
        # A system may write less than it was given.
        monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:7]))
        monkeypatch.setattr(os, "fsync", synced)
        for id in range(2):
            opened.append(evaluation(id))
            steps.append(f"{id} acknowledged")
    assert steps == ["2 lines synced", "0 acknowledged", "3 lines synced", "1 acknowledged"]
    assert read_journal(tmp_path)[1] == [evaluation(0), evaluation(1)]


def test_a_new_journal_and_its_folder_are_synced_before_anything_is_acknowledged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced, fsync = set[int](), os.fsync

    def note(descriptor: int) -> None:
        synced.add(os.fstat(descriptor).st_ino)
        fsync(descriptor)

    out = tmp_path / "run"
    inodes: Callable[[], set[int]] = lambda: {  # noqa: E731
        path.stat().st_ino for path in (out, out / JOURNAL_NAME, tmp_path)
    }
    monkeypatch.setattr(os, "fsync", note)
    with open_journal(out, EXPERIMENT):
        assert synced == inodes()
    synced.clear()
    # The process that made it may have been killed before it had synced anything.
    with open_journal(out, EXPERIMENT):
        assert synced == inodes()


def test_a_full_or_failing_disk_stops_the_run_and_loses_nothing_that_was_acknowledged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unsynced: None
) -> None:
    reference = tmp_path / "whole"
    recorded(reference, 3)
    length = len(content(reference).splitlines(keepends=True)[3])
    faults: list[tuple[str, OSError, int]] = [
        ("fsync", OSError(errno.EIO, "the disk fails"), 0),
        *(("write", OSError(errno.ENOSPC, "the disk is full"), keep) for keep in range(length + 1)),
    ]
    for number, (call, error, keep) in enumerate(faults):
        out = tmp_path / str(number)
        with open_journal(out, EXPERIMENT) as opened:
            opened.append(evaluation(0))
            opened.append(evaluation(1))
            with monkeypatch.context() as patch:
                calls = failing(patch, call, error, keep)
                with pytest.raises(OSError, match="the disk"):
                    opened.append(evaluation(2))
            assert len(calls) == 1, "what failed is not tried again"
            assert opened.evaluations == [evaluation(0), evaluation(1)]
            # The disk works again, but what stands behind a torn line could never be read.
            with pytest.raises(
                OSError, match=r"journal.jsonl must be opened again after a failed write"
            ):
                opened.append(evaluation(2))
        assert read_journal(out)[1][:2] == [evaluation(0), evaluation(1)]
        recorded(out, 3)
        assert content(out) == content(reference)


def test_a_file_size_limit_stops_the_run_like_a_full_disk(tmp_path: Path) -> None:
    recorded(tmp_path / "whole", 4)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(content(tmp_path / "whole")) - 100, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            recorded(tmp_path / "run", 4)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert read_journal(tmp_path / "run")[1] == [evaluation(id) for id in range(3)]
    recorded(tmp_path / "run", 4)
    assert content(tmp_path / "run") == content(tmp_path / "whole")


@pytest.mark.parametrize("call", ["write", "fsync", "ftruncate"])
def test_a_start_or_recovery_that_is_killed_leaves_what_the_next_one_can_use(
    call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded(tmp_path / "whole", 2)
    whole = content(tmp_path / "whole")
    for number, before in enumerate([b"", whole[:1], whole[:50], whole[:-1], whole[:-30], whole]):
        for keep in (0, 1, 60):
            out = tmp_path / f"{number}.{keep}"
            out.mkdir()
            (out / JOURNAL_NAME).write_bytes(before)
            with monkeypatch.context() as patch:
                failing(patch, call, Fault(), keep if call == "write" else 0)
                if call != "write" or not before.count(10):
                    with pytest.raises(Fault), open_journal(out, EXPERIMENT):
                        pass
            recorded(out, 2)
            assert content(out) == whole


def test_a_journal_cut_anywhere_in_its_last_record_is_repaired_to_the_one_before(
    tmp_path: Path, unsynced: None
) -> None:
    recorded(tmp_path, 3)
    whole = content(tmp_path)
    last = whole[:-1].rfind(b"\n") + 1
    for cut in range(last, len(whole)):
        (tmp_path / JOURNAL_NAME).write_bytes(whole[:cut])
        assert read_journal(tmp_path)[1] == [evaluation(0), evaluation(1)]
        assert content(tmp_path) == whole[:cut], "reading repairs nothing"
        with open_journal(tmp_path, EXPERIMENT) as opened:
            assert opened.evaluations == [evaluation(0), evaluation(1)]
            assert content(tmp_path) == whole[:last]
            opened.append(evaluation(2))
        assert content(tmp_path) == whole


def test_a_header_cut_anywhere_is_written_anew(tmp_path: Path, unsynced: None) -> None:
    recorded(tmp_path, 0)
    whole = content(tmp_path)
    for cut in range(len(whole)):
        (tmp_path / JOURNAL_NAME).write_bytes(whole[:cut])
        with pytest.raises(
            RunDirectoryError,
            match=r"journal.jsonl must begin with a header, but is empty: run the experiment",
        ):
            read_journal(tmp_path)
        assert recorded(tmp_path, 0) == []
        assert content(tmp_path) == whole


# Other damage is refused.


def refused(out: Path, message: str) -> None:
    """Neither reading nor opening accepts the journal, and both leave it as it is."""
    before = content(out)
    with pytest.raises(RunDirectoryError) as caught:
        read_journal(out)
    assert message in str(caught.value)
    with pytest.raises(RunDirectoryError) as caught, open_journal(out, EXPERIMENT):
        pass
    assert message in str(caught.value)
    assert content(out) == before


def test_a_flipped_bit_anywhere_before_the_end_is_refused_with_its_offset(tmp_path: Path) -> None:
    recorded(tmp_path, 3)
    whole, path = content(tmp_path), tmp_path / JOURNAL_NAME
    starts = [0, *(index + 1 for index, byte in enumerate(whole) if byte == 10)]
    for position in range(len(whole) - 1):
        damaged = bytearray(whole)
        damaged[position] ^= 1 << (position * 5 % 8)
        path.write_bytes(damaged)
        line = max(start for start in starts if start <= position)
        refused(tmp_path, f"{path} at byte {line} must be an undamaged line of the journal, but ")


def test_lost_swapped_and_repeated_lines_are_refused(tmp_path: Path) -> None:
    recorded(tmp_path, 4)
    first, *lines = content(tmp_path).splitlines(keepends=True)
    for left in (
        lines[1:],
        lines[:1] + lines[2:],
        [lines[0], lines[2], lines[1], lines[3]],
        [lines[0], *lines],
    ):
        (tmp_path / JOURNAL_NAME).write_bytes(b"".join([first, *left]))
        refused(tmp_path, f"must hold the ids 0 … {len(left) - 1} in order, but does not")
    for left in (lines, [first, first, *lines]):
        (tmp_path / JOURNAL_NAME).write_bytes(b"".join(left))
        refused(tmp_path, JOURNAL_NAME)


def test_lines_that_no_journal_holds_are_refused(tmp_path: Path) -> None:
    recorded(tmp_path, 1)
    whole = content(tmp_path)
    deep = 100_000
    for line in (
        b"\n",
        b"\0\0\0\n",
        b"[]\n",
        b"3\n",
        b"null\n",
        b'"record"\n',
        b"{}\n",
        b'{"record": {}}\n',
        b"\xff\xfe{\x00}\x00\n",
        b"[" * deep + b"\n",
        whole.splitlines()[1].replace(b"conv", b"co\xffv") + b"\n",
        b" " + whole.splitlines(keepends=True)[1],
        checked("[]"),
        checked("1"),
        checked('"text"'),
        checked("null"),
        checked('{"id": NaN}'),
        checked('{"id": -Infinity}'),
        checked('{"id": 1, "id": 1}'),
        checked('{"id":1}'),
        checked('{"id": 1e5}'),
        checked('{"id": ' + "9" * 5000 + "}"),
        checked('{"id": ' + "[" * deep + "]" * deep + "}"),
        checked('{"id": ' + '{"a":' * 5000 + "1" + "}" * 5000 + "}"),
    ):
        (tmp_path / JOURNAL_NAME).write_bytes(whole + line)
        refused(
            tmp_path,
            f"{tmp_path / JOURNAL_NAME} at byte {len(whole)} must be an undamaged line of the journal, but ",
        )


def test_evaluations_with_bad_fields_are_refused(tmp_path: Path) -> None:
    recorded(tmp_path, 0)
    good, whole = journal_format.evaluation_to_json(evaluation(0)), content(tmp_path)
    for parts, message in (
        ({"status": "MAYBE"}, "'MAYBE' is not a valid Status"),
        ({"color": "blue"}, "color"),
        ({"history": [{"loss": 1.0}]}, "accuracy"),
        ({"history": [3]}, ""),
        ({"history": None}, ""),
        ({"genotype": 3}, ""),
        ({"design": ["conv"]}, ""),
        ({"metrics": [1.0]}, ""),
        ({"metrics": "text"}, ""),
        ({"metrics": {"accuracy": "high"}}, ""),
        ({"metrics": {"accuracy": None}}, ""),
    ):
        (tmp_path / JOURNAL_NAME).write_bytes(whole + checked(json.dumps({**good, **parts})))
        refused(tmp_path, "must hold evaluations of version 1, but one has a bad field: ")
        refused(tmp_path, message)
    for name in good.keys() - {"epochs", "history"}:
        (tmp_path / JOURNAL_NAME).write_bytes(
            whole + checked(json.dumps({key: good[key] for key in good if key != name}))
        )
        refused(tmp_path, name)


def test_journals_of_other_programs_and_later_versions_are_refused(tmp_path: Path) -> None:
    path = tmp_path / JOURNAL_NAME
    for parts, message in (
        (
            {"version": 2},
            f"{path} must be a 'compact-nas journal' of version 1 or older, but is 'compact-nas journal' version 2",
        ),
        ({"version": "1"}, "or older, but is 'compact-nas journal' version '1'"),
        ({"version": None}, "version None"),
        ({"format": "other"}, "but is 'other' version 1"),
        ({"experiment": None}, f"{path} must begin with an experiment, but begins with None"),
        ({"experiment": [1]}, f"{path} must begin with an experiment, but begins with [1]"),
    ):
        path.write_bytes(header(**parts))
        refused(tmp_path, message)
    path.write_bytes(checked(json.dumps(journal_format.evaluation_to_json(evaluation(0)))))
    refused(tmp_path, "but is None version None")


def test_journals_of_older_versions_are_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded(tmp_path, 2)
    monkeypatch.setattr(journal_format, "VERSION", journal_format.VERSION + 1)
    assert read_journal(tmp_path)[0]["version"] == 1
    assert recorded(tmp_path, 3) == [evaluation(id) for id in range(3)]


# A run directory belongs to one experiment, and to one writer at a time.


def test_another_experiment_is_refused_with_every_difference(tmp_path: Path) -> None:
    recorded(tmp_path, 1)
    before = content(tmp_path)
    for change, told in (
        ({"seed": 1}, "seed was 0 and is 1"),
        ({"teacher": {"alpha": 0.5}}, "teacher.alpha was None and is 0.5"),
        ({"compressors": []}, "compressors was [{'name': 'Pruning'}] and is []"),
        (
            {"objective": {"budget": {"limits": {}}}},
            "objective.budget.limits.size_bytes was 4096.0 and is None",
        ),
        (
            {"space": {"name": "X", "choices": "9"}, "seed": 7},
            "seed was 0 and is 7; space.choices was '0123' and is '9'; space.name",
        ),
        ({"window": 4}, "window was None and is 4"),
    ):
        with (
            pytest.raises(RunDirectoryError) as caught,
            open_journal(tmp_path, {**EXPERIMENT, **change}),
        ):
            pass
        assert str(caught.value).startswith(
            f"{tmp_path} must be resumed with the experiment that it was made by, but {told}"
        )
        assert content(tmp_path) == before


def test_an_experiment_is_the_same_one_in_another_spelling(tmp_path: Path) -> None:
    recorded(tmp_path, 1)
    spelled = {
        **dict(reversed(EXPERIMENT.items())),
        "compressors": ({"name": "Pruning"},),
        "seed": 0.0,
    }
    with open_journal(tmp_path, spelled) as opened:
        assert len(opened.evaluations) == 1


def test_headers_nested_deeper_than_python_recurses_are_refused(tmp_path: Path) -> None:
    for depth in (100, 300, 500, 700, 900, 5000):
        nested = '{"a": ' * depth + "1" + "}" * depth
        body = header(experiment=0)
        (tmp_path / JOURNAL_NAME).write_bytes(
            checked(json.dumps(json.loads(body)["record"]).replace("0}", nested + "}"))
        )
        with pytest.raises(
            RunDirectoryError,
            match=JOURNAL_NAME if depth > 900 else "must be resumed with the experiment",
        ):
            recorded(tmp_path, 1)


def test_a_folder_with_other_files_is_no_new_run_directory(tmp_path: Path) -> None:
    recorded(tmp_path / "run", 2)
    whole = content(tmp_path / "run")
    (tmp_path / "run" / "weights").mkdir()
    recorded(tmp_path / "run", 2)
    # The journal is gone, or all that it held, but what it told of is still there.
    for left in (None, b"", whole[:40]):
        (tmp_path / "run" / JOURNAL_NAME).unlink(missing_ok=True)
        if left is not None:
            (tmp_path / "run" / JOURNAL_NAME).write_bytes(left)
        with pytest.raises(
            RunDirectoryError,
            match=r"must be new or hold journal.jsonl with its header, but .*run holds other",
        ):
            recorded(tmp_path / "run", 2)
        assert (content(tmp_path / "run") if left is not None else None) == left
        assert (tmp_path / "run" / JOURNAL_NAME).exists() is (left is not None)
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(
            RunDirectoryError,
            match=rf"a run directory must hold journal.jsonl, but {folder} does not",
        ):
            read_journal(folder)


def test_a_run_directory_may_be_moved(tmp_path: Path) -> None:
    recorded(tmp_path / "here", 2)
    (tmp_path / "here").rename(tmp_path / "there")
    assert recorded(tmp_path / "there", 3) == [evaluation(id) for id in range(3)]


@contextmanager
def unprivileged() -> Iterator[None]:
    """Whoever is root becomes nobody, because the permissions of files do not bind root."""
    user = os.geteuid()
    try:
        os.seteuid(65534 if user == 0 else user)
    except OSError:
        pytest.skip("this user cannot become another one")
    try:
        yield
    finally:
        os.seteuid(user)


def test_what_cannot_be_written_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recorded(tmp_path / "run", 1)
    (tmp_path / "empty").mkdir(mode=0o555)
    (tmp_path / "file").touch()
    (tmp_path / "run" / JOURNAL_NAME).chmod(0o444)
    tmp_path.chmod(0o555)
    monkeypatch.chdir(tmp_path)  # the folders above may be closed to others
    for name in ("run", "empty", "new", "file", "file/run"):
        with (
            unprivileged(),
            pytest.raises(
                RunDirectoryError, match=f"must be a folder that can be written, but .*{name}"
            ),
        ):
            recorded(Path(name), 1)
    with unprivileged():
        assert read_journal(Path("run"))[1] == [evaluation(0)]
    tmp_path.chmod(0o755)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "file", "run"]


def test_a_journal_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    recorded(tmp_path / "run", 1)
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / JOURNAL_NAME).symlink_to(tmp_path / "run" / JOURNAL_NAME)
    with pytest.raises(
        RunDirectoryError, match=r"must be a folder that can be written, but .*linked/journal.jsonl"
    ):
        recorded(tmp_path / "linked", 2)
    assert read_journal(tmp_path / "run")[1] == [evaluation(0)]


# The same with another process.

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
    """A process that records evaluations and tells on its output what it was told is on disk."""
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
