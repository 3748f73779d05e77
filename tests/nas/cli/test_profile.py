from dataclasses import replace
from pathlib import Path

import pytest

from experiments.digits import DEFAULTS, digits
from nas.c.cortex_m import COMPILER, EMULATOR
from nas.cli.main import main
from nas.measure import CortexMTable
from nas.measure.instruction_table import read_instruction_table
from tests.nas.c.compiled import needs

EXPERIMENT = str(Path(__file__).parents[3] / "experiments" / "digits.py")


@needs(COMPILER, EMULATOR)
def test_a_profile_of_a_core_is_a_table_that_a_search_can_use(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "m4.json"
    given = ["--target", "cortex-m4", "--table", str(table), "--designs", "2", "--space", "mlp"]
    main(["profile", EXPERIMENT, *given])
    known = read_instruction_table(table)
    said = capsys.readouterr().out
    assert f"{table}: {len(known.counted)} operations of 2 designs on cortex-m4" in said
    options = replace(DEFAULTS, target=str(table), board="nano33ble", latency_ms=50)
    device = digits(options, space="mlp").device
    assert device == CortexMTable(known, 64_000_000)


def test_a_core_that_cannot_be_counted_here_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    given = ["--target", "cortex-m4", "--table", str(tmp_path / "m4.json")]
    with pytest.raises(SystemExit) as ended:
        main(["profile", EXPERIMENT, *given])
    assert ended.value.code == 2
    assert "counting instructions needs" in capsys.readouterr().err
