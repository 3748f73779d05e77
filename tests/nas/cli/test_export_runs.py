from pathlib import Path

import pytest

from nas.cli.main import main
from tests.nas.cli.summaries import RUN, write


def test_whole_runs_are_exported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "a", RUN)
    target = tmp_path / "trials.csv"
    export = ["export", str(tmp_path / "a"), "--to", "csv", "--out", str(target)]
    main(export)
    assert len(target.read_text().splitlines()) == 1 + len(RUN)
    assert f"{target}: {len(RUN)} candidates of" in capsys.readouterr().out
    with pytest.raises(SystemExit) as end:
        main([*export, "--id", "2", "--class-names"])
    assert end.value.code == 2
    assert "but of one candidate alone are --id, --class-names" in capsys.readouterr().err
