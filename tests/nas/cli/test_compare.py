from pathlib import Path

import pytest

from nas.cli.compare import differing
from nas.cli.main import main
from nas.report.reported_run import read_runs
from tests.nas.report.runs import search, write


def test_runs_are_beside_one_another_with_the_settings_that_differ(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    one = write(tmp_path / "one", search(10), lr=0.1, space={"name": "Tiny"})
    other = write(tmp_path / "other", search(20), lr=0.2, space={"name": "Tiny"})
    assert differing(read_runs([one, other])) == ["lr"]
    main(["compare", str(one), str(other)])
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["┃", "run", "┃", "one", "┃", "other", "┃"] in lines
    assert ["│", "failed", "│", "1", "│", "2", "│"] in lines
    assert ["│", "lr", "│", "0.1", "│", "0.2", "│"] in lines


def test_one_run_cannot_be_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = write(tmp_path / "one", search(3))
    for arguments in ([str(one)], [str(one), str(one)]):
        with pytest.raises(SystemExit) as end:
            main(["compare", *arguments])
        assert end.value.code == 2
        assert "two different runs" in capsys.readouterr().err
