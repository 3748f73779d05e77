import errno
import os
import resource
from collections.abc import Callable
from pathlib import Path

import pytest

from nas.runs.directory import RunDirectoryError
from nas.runs.journal import JOURNAL_NAME, open_journal, read_journal
from tests.nas.runs.journals import EXPERIMENT, content, evaluation, failing, recorded


class Fault(BaseException):
    """Ends everything at once, as a kill does."""


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


@pytest.mark.fault(29, 30)
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


@pytest.mark.fault(31)
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


@pytest.mark.fault(22)
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


@pytest.mark.fault(35)
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


@pytest.mark.fault(35)
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
