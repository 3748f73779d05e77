import errno
from pathlib import Path

import pytest

from nas.runs import directory
from nas.runs.directory import RunDirectoryError
from tests.nas.runs.journals import failing


@pytest.mark.fault(75)
def test_the_test_accuracy_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert directory.read_test_score(tmp_path) is None
    for id, accuracy in ((3, 1 / 3), (0, 1.0)):
        directory.write_test_score(tmp_path, id, accuracy)
        assert directory.read_test_score(tmp_path) == (id, accuracy)
    with monkeypatch.context() as patch:
        failing(patch, "fsync", OSError(errno.EIO, "the disk fails"))
        with pytest.raises(OSError, match="the disk fails"):
            directory.write_test_score(tmp_path, 1, 0.25)
    assert directory.read_test_score(tmp_path) == (0, 1.0), (
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
            match=r"test.json must hold an id and the test accuracy, but is damaged: remove it",
        ):
            directory.read_test_score(tmp_path)
