"""Errors in a user's file: those of its own keep their traceback, refusals of ours are one line."""

from pathlib import Path

import pytest

from nas.cli.main import main
from nas.python_file import import_file

BODY = {
    "own": "raise ValueError('no such width')",
    "library": "int('x')",
    "refusal": "nas.Budget({'size_bytes': -1})",
}


@pytest.mark.parametrize(("body", "traced"), [("own", True), ("library", True), ("refusal", False)])
def test_only_errors_of_the_users_code_have_a_traceback(
    body: str, traced: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "broken_search.py"
    path.write_text(f"import nas\ndef broken_search() -> nas.Experiment:\n    {BODY[body]}\n")
    with pytest.raises(SystemExit) as end:
        main(["run", str(path)])
    assert end.value.code == 2
    said = capsys.readouterr().err
    assert ("Traceback" in said) == traced
    assert (f'"{path}", line 3' in said) == traced
    assert said.splitlines()[-1].startswith("nas: ")


@pytest.mark.parametrize("name", ["copy", "nas", "torch", "strategies"])
def test_a_file_called_as_a_module_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / f"{name}.py").write_text("raise AssertionError('it must not be run')")
    with pytest.raises(ValueError, match="rename the file"):
        import_file(tmp_path / f"{name}.py")


def test_a_neighbor_can_be_imported_and_hides_nothing(tmp_path: Path) -> None:
    (tmp_path / "neighbor_of_mine.py").write_text("VALUE = 3")
    (tmp_path / "numpy.py").write_text("raise AssertionError('it must not be run')")
    (tmp_path / "mine_too.py").write_text(
        "import numpy, neighbor_of_mine\nVALUE = neighbor_of_mine.VALUE"
    )
    assert import_file(tmp_path / "mine_too.py").VALUE == 3
