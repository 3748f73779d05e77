import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from nas.cli.main import main
from tests.nas.cli.commands import ROOT


def test_a_run_without_logs_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["board", str(tmp_path)])
    assert end.value.code == 2
    assert f"{tmp_path / 'tb'} is missing" in capsys.readouterr().err


@pytest.mark.fault(59)
def test_the_board_serves_on_loopback_until_ctrl_c(tmp_path: Path) -> None:
    (tmp_path / "tb").mkdir()
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "nas", "board", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as board:
        assert board.stdout is not None
        url = board.stdout.readline().split()[0]
        assert url.startswith("http://127.0.0.1:")
        with urllib.request.urlopen(url + "data/logdir") as answer:
            assert str(tmp_path / "tb") in answer.read().decode()
        board.send_signal(signal.SIGINT)
        assert board.wait() == 0
