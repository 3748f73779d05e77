import errno
import logging
from pathlib import Path

import pytest
from torch.utils.tensorboard import SummaryWriter

from nas.board.log import TensorBoardLog
from tests.nas.board.searches import CHOICES, OBJECTIVE, RUN, Plain, curves, log


def test_everything_is_on_disk_when_the_search_is_left_by_an_error(tmp_path: Path) -> None:
    with pytest.raises(KeyError), TensorBoardLog(tmp_path / "tb", CHOICES) as board:
        raise KeyError(board.add(RUN[:1], OBJECTIVE, Plain()))  # type: ignore[func-returns-value]
    assert curves(tmp_path / "tb" / "search")["best/accuracy"] == [(1, 0.5)]


def warned(caplog: pytest.LogCaptureFixture, folder: Path) -> bool:
    """Whether one warning, which names the folder, is all that was said."""
    said = [
        (record.name, record.levelno, record.getMessage().split(", because of ")[0])
        for record in caplog.records
    ]
    return said == [("nas.board.log", logging.WARNING, f"no more TensorBoard logs in {folder}")]


@pytest.mark.fault(41)
def test_a_folder_that_cannot_be_made_is_a_warning_and_the_search_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_bytes(b"precious")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "mine").touch()
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    for folder in (tmp_path / "file", tmp_path / "file" / "tb", tmp_path / "link"):
        caplog.clear()
        log(folder)
        assert warned(caplog, folder)
    assert (tmp_path / "file").read_bytes() == b"precious"
    assert [path.name for path in (tmp_path / "elsewhere").iterdir()] == ["mine"]


@pytest.mark.fault(41)
def test_a_folder_that_fails_later_is_a_warning_and_the_search_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with TensorBoardLog(tmp_path / "tb", CHOICES) as board:
        board.add(RUN[:2], OBJECTIVE, Plain())
        (tmp_path / "tb" / "trials").touch()
        board.add(RUN[:3], OBJECTIVE, Plain())
        board.add(RUN[:5], OBJECTIVE, Plain())
        board.finish(RUN, OBJECTIVE)
    assert warned(caplog, tmp_path / "tb")
    assert curves(tmp_path / "tb" / "search")["search/over_budget_share"][0] == (2, 0.5), (
        "what was logged is kept"
    )


@pytest.mark.parametrize("call", ["add_scalar", "add_image", "close"])
def test_a_disk_that_fills_up_is_a_warning_and_the_search_goes_on(
    call: str, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "the disk is full")

    with monkeypatch.context() as patch, TensorBoardLog(tmp_path / "tb", CHOICES) as board:
        patch.setattr(SummaryWriter, call, refuse)
        for count in range(1, len(RUN) + 1):
            board.add(RUN[:count], OBJECTIVE, Plain())
        board.finish(RUN, OBJECTIVE)
    assert warned(caplog, tmp_path / "tb")
