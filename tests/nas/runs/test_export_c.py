from collections.abc import Callable
from pathlib import Path

import pytest

from nas.cli.main import main
from nas.experiment import Experiment
from nas.runs.directory import write_class_names
from nas.runs.export import export
from nas.runs.run import run
from tests.nas.c.compiled import needs_compiler


@pytest.fixture
def out(tiny: Callable[..., Experiment], tmp_path: Path) -> Path:
    run(tiny({"size_bytes": 160.0}), tmp_path / "run")
    return tmp_path / "run"


@needs_compiler
@pytest.mark.parametrize("to", ["c", "c-plain"])
def test_a_folder_of_c_says_what_the_packed_file_says(to: str, out: Path, tmp_path: Path) -> None:
    exported = export(out, "best", to, tmp_path / "folder")
    assert exported.parity is not None
    assert exported.parity.differing == 0.0
    names = {path.name for path in (tmp_path / "folder").iterdir()}
    assert names == {"model.h", "model.c", "model_test.c", "Makefile"}


def test_class_names_of_the_run_are_written(
    out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nas.c.compiler", lambda: None)
    exported = export(out, "best", "c", tmp_path / "without")
    assert exported.parity is None
    assert "model_class_names" not in (tmp_path / "without" / "model.h").read_text()
    classes = (tmp_path / "without" / "model.h").read_text().split("MODEL_OUTPUT_SIZE ")[1]
    write_class_names(out, [f"kind {index}" for index in range(int(classes.split()[0]))])
    export(out, "best", "c", tmp_path / "with", class_names=True)
    assert '"kind 1"' in (tmp_path / "with" / "model.c").read_text()


@needs_compiler
def test_a_folder_of_a_project_says_the_same(
    out: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["--to", "c", "--project", "arduino", "--out", str(tmp_path / "blinky")]
    main(["export", str(out), *given])
    assert "0.00% of logits differ" in capsys.readouterr().out
    assert (tmp_path / "blinky" / "blinky.ino").is_file()
    assert not (tmp_path / "blinky" / "model_test.c").exists()


def test_projects_are_refused_before_anything_is_written(out: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"a format that a project has must be one of 'c', 'c-"):
        export(out, "best", "onnx", tmp_path / "x", project="zephyr")
    with pytest.raises(ValueError, match=r"a project must be one of arduino, .*, but got 'mbed'"):
        export(out, "best", "c", tmp_path / "x", project="mbed")
    assert not (tmp_path / "x").exists()
