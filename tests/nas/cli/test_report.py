from pathlib import Path

import pytest

from nas.cli.main import main
from tests.nas.cli.summaries import RUN, write


def test_the_command_writes_a_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "a", RUN)
    write(tmp_path / "b", RUN)
    target = tmp_path / "page.html"
    main(["report", str(tmp_path / "a"), str(tmp_path / "b"), "--out", str(target)])
    assert target.read_text().startswith("<!doctype html>")
    said = capsys.readouterr().out
    assert said == f"{target}: {target.stat().st_size:,} bytes; open it in a browser\n"


def test_what_is_no_run_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["report", str(tmp_path), "--out", str(tmp_path / "page.html")])
    assert end.value.code == 2
    assert "must hold journal.jsonl" in capsys.readouterr().err
