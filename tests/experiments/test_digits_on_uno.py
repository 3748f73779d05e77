"""From a search to the processor of an Arduino Uno."""

from dataclasses import replace
from pathlib import Path

import pytest

from experiments.digits import DEFAULTS, digits
from nas.c.avr import COMPILER, EMULATOR, run_on_avr
from nas.measure.boards import board
from nas.runs.export import export
from nas.runs.run import run
from tests.nas.c.compiled import needs


@pytest.mark.slow
@needs(COMPILER, EMULATOR)
def test_a_network_that_was_searched_for_a_board_runs_there(tmp_path: Path) -> None:
    options = replace(
        DEFAULTS, strategy="random", board="uno", trials=1, epochs=2, finetune_epochs=1
    )
    found = run(digits(options), tmp_path)
    assert found.best is not None
    folder = tmp_path / "c"
    exported = export(tmp_path, "best", "c", folder, board=board("uno"))
    if exported.parity is not None:
        assert exported.parity.differing == 0
    said = run_on_avr(folder, (folder / "model_test.c").read_text())
    assert "12 of 12 as expected" in said


def test_a_format_that_knows_no_boards_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="must be one of 'c', 'c-plain', but got 'onnx'"):
        export(tmp_path, "best", "onnx", tmp_path / "x.onnx", board=board("uno"))
