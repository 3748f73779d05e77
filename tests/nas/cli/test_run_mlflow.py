import sys
from pathlib import Path

import pytest

from nas.cli.main import main


def test_without_mlflow_a_run_that_needs_it_does_not_begin(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", None)
    out = tmp_path / "run"
    with pytest.raises(SystemExit) as end:
        main(["run", "digits", "--mlflow", "sqlite:///x.db", "--verbose", "--out", str(out)])
    assert end.value.code == 2
    assert "pip install 'compact-nas[mlflow]'" in capsys.readouterr().err
    assert not out.exists()
