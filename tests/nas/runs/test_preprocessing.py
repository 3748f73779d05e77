"""A file that says how raw values become its inputs scores raw data as the run did."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

from nas.cli.score import score_file
from nas.data import DataError, Task
from nas.data.load import load_task
from nas.experiment import Experiment
from nas.packed import preprocessing
from nas.preprocessing import Preprocessing
from nas.runs.directory import (
    PREPROCESSING_FILE,
    RunDirectoryError,
    packed_path,
    read_preprocessing,
)
from nas.runs.export import export
from nas.runs.journal import read_journal
from nas.runs.result import RunResult
from nas.runs.run import run
from nas.seeds import generator

UNITS = np.array([1.0, 1000.0, 1e-3, 20.0])


def table(path: Path, count: int = 100) -> tuple[Path, list[list[str]]]:
    """A table whose columns have units of their own, and missing values."""
    rng, rows = np.random.default_rng(0), []
    for number in range(count):
        label = number % 3
        values = (rng.normal(size=4) + 1.5 * (np.arange(4) == label) + 3.0) * UNITS
        cells = [f"{value!r}" for value in values.tolist()]
        if number % 17 == 0:
            cells[number % 4] = ""
        rows.append([*cells, ("low", "mid", "top")[label]])
    write(path, rows)
    return path, rows


def write(path: Path, rows: list[list[str]]) -> None:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([["a", "b", "c", "d", "class"], *rows])


@pytest.fixture
def made(
    tiny: Callable[..., Experiment], tmp_path: Path
) -> tuple[Path, list[list[str]], Task, RunResult]:
    path, rows = table(tmp_path / "data.csv")
    task = load_task(str(path), generator(0, "data"))
    return path, rows, task, run(tiny(task=task, trials=2), tmp_path / "run")


def test_a_table_is_scored_as_it_is(
    made: tuple[Path, list[list[str]], Task, RunResult], tmp_path: Path
) -> None:
    path, rows, task, result = made
    assert result.best is not None
    assert task.preprocessing is not None
    assert read_preprocessing(tmp_path / "run") == task.preprocessing
    packed = packed_path(tmp_path / "run", result.best.id)
    assert preprocessing(packed.read_bytes()) is None
    exported = tmp_path / "exported.nas"
    export(tmp_path / "run", "best", "packed", exported, packs_preprocessing=True)
    assert preprocessing(exported.read_bytes()) == task.preprocessing
    assert exported.stat().st_size == packed.stat().st_size + 1 + 2 * 4 * 4 + 4
    # The rows that the search held out, found by their labels and values after standardization.
    found = load_task(str(path), generator(0, "data")).test
    raw = np.array([[float(cell or "nan") for cell in row[:-1]] for row in rows])
    prepared = task.preprocessing.apply(raw)
    places = [int(np.abs(prepared - each.numpy()).sum(1).argmin()) for each in found.inputs]
    write(tmp_path / "held.csv", [rows[place] for place in places])
    scored = score_file(exported, str(tmp_path / "held.csv"))
    assert scored["accuracy"] == result.test_accuracy
    assert scored["samples"] == len(found.labels)
    # A file in its run directory goes by what the run knows.
    inside = score_file(packed, str(tmp_path / "held.csv"))
    assert inside["accuracy"] == result.test_accuracy


def test_a_table_may_lack_classes_whose_names_are_known(
    made: tuple[Path, list[list[str]], Task, RunResult], tmp_path: Path
) -> None:
    _, rows, _, _ = made
    exported, few = tmp_path / "e.nas", tmp_path / "few.csv"
    write(few, [row for row in rows if row[-1] != "low"])
    export(tmp_path / "run", "best", "packed", exported, packs_preprocessing=True)
    with pytest.raises(DataError, match="must have the 3 classes of the network"):
        score_file(exported, str(few))
    export(tmp_path / "run", "best", "packed", exported, class_names=True, packs_preprocessing=True)
    write(tmp_path / "all.csv", rows)
    whole = score_file(exported, str(tmp_path / "all.csv"))["accuracy"] * len(rows)
    write(tmp_path / "low.csv", [row for row in rows if row[-1] == "low"])
    low = score_file(exported, str(tmp_path / "low.csv"))
    rest = score_file(exported, str(few))
    found = low["accuracy"] * low["samples"] + rest["accuracy"] * rest["samples"]
    assert round(found) == round(whole)
    write(few, [[*rows[0][:-1], "other"]])
    with pytest.raises(DataError, match="must have the classes low, mid, top, but has other"):
        score_file(exported, str(few))


def test_a_table_needs_preprocessing(
    made: tuple[Path, list[list[str]], Task, RunResult], tmp_path: Path
) -> None:
    path, *_ = made
    export(tmp_path / "run", "best", "packed", tmp_path / "e.nas")
    with pytest.raises(DataError, match="nas export --preprocessing"):
        score_file(tmp_path / "e.nas", str(path))


def test_other_formats_have_it_anyway(
    made: tuple[Path, list[list[str]], Task, RunResult],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("nas.c.compiler", lambda: None)
    _, _, task, _ = made
    assert task.preprocessing is not None
    wanted = json.loads(task.preprocessing.to_json())
    for to in ("onnx", "torch", "c"):
        export(tmp_path / "run", "best", to, tmp_path / to, class_names=to == "onnx")
    found = {each.key: each.value for each in onnx.load(tmp_path / "onnx").metadata_props}
    assert json.loads(found["preprocessing"]) == wanted
    assert json.loads(found["class_names"]) == ["low", "mid", "top"]
    assert json.loads((tmp_path / "torch.json").read_text())["preprocessing"] == wanted
    assert "#define MODEL_LIMIT 4.0f" in (tmp_path / "c" / "model.h").read_text()


def test_a_search_counts_the_bytes_that_its_files_have(
    tiny: Callable[..., Experiment], tiny_task: Task, tmp_path: Path
) -> None:
    one = Preprocessing("uint8", (33.0,), (79.0,))
    task = Task(
        name="blobs",
        train=tiny_task.train,
        validation=tiny_task.validation,
        test=tiny_task.test,
        classes=3,
        preprocessing=one,
    )
    limits = {"size_bytes": 160.0}
    plain = run(tiny(limits, task=task, trials=2), tmp_path / "plain").evaluations
    longer = run(
        tiny(limits, task=task, trials=2, packs_preprocessing=True), tmp_path / "longer"
    ).evaluations
    headers = [read_journal(tmp_path / name)[0]["experiment"] for name in ("plain", "longer")]
    assert headers[1] == {**headers[0], "preprocessing": one.to_json()}
    for before, after in zip(plain, longer, strict=False):
        if before.history and after.history:
            packed = packed_path(tmp_path / "longer", after.id).read_bytes()
            assert preprocessing(packed) == one
            assert after.metrics["size_bytes"] == before.metrics["size_bytes"] + 9 == len(packed)
            assert after.metrics["flash_bytes"] == before.metrics["flash_bytes"] + 9


def test_files_cannot_have_what_the_task_does_not_know(tiny: Callable[..., Experiment]) -> None:
    with pytest.raises(ValueError, match="'blobs' must have preprocessing for files to have it"):
        tiny(packs_preprocessing=True)


def test_damage_is_told(tmp_path: Path) -> None:
    assert read_preprocessing(tmp_path) is None
    (tmp_path / PREPROCESSING_FILE).write_text("{}")
    with pytest.raises(RunDirectoryError, match="resume the run to write it again"):
        read_preprocessing(tmp_path)
