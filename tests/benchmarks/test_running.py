from pathlib import Path

import pytest

from benchmarks.running import echo, opened, write_records


def test_records_that_are_made_up_can_be_opened(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    size = write_records(tmp_path, 20)
    opened(tmp_path)
    assert capsys.readouterr().out.startswith("20 | ")
    assert size > 20 * 500


def test_workers_answer_what_they_are_asked() -> None:
    assert echo()(b"asked") == (b"asked", True)
