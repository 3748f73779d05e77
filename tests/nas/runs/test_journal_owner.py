import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from nas.runs.directory import RunDirectoryError
from nas.runs.journal import JOURNAL_NAME, open_journal, read_journal
from tests.nas.runs.journals import EXPERIMENT, content, evaluation, recorded


@pytest.mark.fault(40)
def test_another_experiment_is_refused_with_every_difference(tmp_path: Path) -> None:
    recorded(tmp_path, 1)
    before = content(tmp_path)
    for change, text in (
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
            f"{tmp_path} must be resumed with the experiment that it was made by, but {text}"
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


@pytest.mark.fault(36)
def test_a_folder_with_other_files_is_no_new_run_directory(tmp_path: Path) -> None:
    recorded(tmp_path / "run", 2)
    whole = content(tmp_path / "run")
    (tmp_path / "run" / "weights").mkdir()
    recorded(tmp_path / "run", 2)
    # The journal is gone or empty, but the files of its candidates are still there.
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


@pytest.mark.fault(39)
def test_a_run_directory_may_be_moved(tmp_path: Path) -> None:
    recorded(tmp_path / "here", 2)
    (tmp_path / "here").rename(tmp_path / "there")
    assert recorded(tmp_path / "there", 3) == [evaluation(id) for id in range(3)]


@contextmanager
def unprivileged() -> Iterator[None]:
    """Root becomes nobody, because file permissions do not restrict root."""
    user = os.geteuid()
    try:
        os.seteuid(65534 if user == 0 else user)
    except OSError:
        pytest.skip("this user cannot become another one")
    try:
        yield
    finally:
        os.seteuid(user)


@pytest.mark.fault(32)
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
