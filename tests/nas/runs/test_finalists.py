import json
from pathlib import Path

import pytest
from rich.console import Console

from nas.cli.show import print_summary
from nas.objective import best_few
from nas.packed import unpack
from nas.program import score
from nas.runs.directory import RunDirectoryError
from nas.runs.export import export
from nas.runs.result import RunResult
from nas.runs.run import run
from nas.runs.summary import summary
from tests.nas.runs.experiments import Make, facts


def searched(tiny: Make, out: Path, retrain: int = 2, trials: int = 4) -> RunResult:
    return run(tiny(trials=trials, retrain=retrain), out)


def test_the_best_few_are_trained_again_with_another_seed(tiny: Make, tmp_path: Path) -> None:
    experiment = tiny(trials=4, retrain=2)
    found = searched(tiny, tmp_path)
    wanted = best_few(found.evaluations, experiment.objective, 2)
    assert {e.id: e.genotype for e in found.retrained} == {e.id: e.genotype for e in wanted}
    first = {e.id: e.history for e in wanted}
    assert all(len(e.history) == 2 and e.history != first[e.id] for e in found.retrained)
    assert facts(found.evaluations) == facts(searched(tiny, tmp_path / "plain", 0).evaluations)
    assert not (tmp_path / "plain" / "retrained").exists()


def test_what_they_are_worth_is_told_beside_the_search(tiny: Make, tmp_path: Path) -> None:
    found, task = searched(tiny, tmp_path), tiny().task
    told = summary(tmp_path)
    again = {e.id: e for e in found.retrained}
    assert [row["id"] for row in told["retrained"]] == sorted(again)
    for row in told["retrained"]:
        assert row["search_accuracy"] == found.evaluations[row["id"]].metrics["accuracy"]
        assert row["metrics"] == again[row["id"]].metrics
        packed = (tmp_path / "retrained" / "packed" / f"{row['id']:05d}.nas").read_bytes()
        assert score(unpack(packed), task.validation) == row["metrics"]["accuracy"]
    choice = again[told["chosen"]]
    assert choice.metrics["accuracy"] == max(e.metrics["accuracy"] for e in found.retrained)
    export(tmp_path, "retrained", "packed", tmp_path / "a.nas")
    program = unpack((tmp_path / "a.nas").read_bytes())
    assert score(program, task.validation) == choice.metrics["accuracy"]
    assert score(program, task.test) == told["chosen_test_accuracy"]
    console = Console(width=200)
    with console.capture() as capture:
        print_summary(tmp_path, console)
    text = capture.get()
    assert f"{choice.id}* │" in text
    assert f"trained again: {told['chosen_test_accuracy']:.4f}" in text


def test_a_run_that_is_resumed_trains_only_what_is_missing(tiny: Make, tmp_path: Path) -> None:
    found = searched(tiny, tmp_path)
    files = {path: path.read_bytes() for path in (tmp_path / "retrained").rglob("*.*")}
    lost = max(path for path in files if path.suffix == ".json" and path.stem != "test")
    lost.unlink()
    kept = next(path for path in files if path.suffix == ".json" and path.exists())
    stamp = kept.stat().st_mtime_ns
    again = searched(tiny, tmp_path)
    assert facts(again.retrained) == facts(found.retrained)
    assert kept.stat().st_mtime_ns == stamp
    packed = [path for path in files if path.suffix == ".nas"]
    assert packed
    assert all(path.read_bytes() == files[path] for path in packed)
    # The option is no part of what is resumed, and what was trained stays told.
    more = searched(tiny, tmp_path, retrain=3)
    assert len(more.retrained) == 3
    assert len(searched(tiny, tmp_path, retrain=0).retrained) == 3


def test_bad_numbers_and_files_are_refused(tiny: Make, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="retrain must be 0 or more, but got -1"):
        tiny(retrain=-1)
    searched(tiny, tmp_path, retrain=0)
    with pytest.raises(
        ValueError, match="must hold a candidate within the budget that was trained"
    ):
        export(tmp_path, "retrained", "packed", tmp_path / "a.nas")
    (tmp_path / "retrained").mkdir()
    (tmp_path / "retrained" / "00001.json").write_text(json.dumps({"id": 1}))
    with pytest.raises(RunDirectoryError, match=r"00001.json must hold an evaluation, but is dam"):
        summary(tmp_path)
