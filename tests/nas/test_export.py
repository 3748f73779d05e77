import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from nas.__main__ import main
from nas.artifact import ArtifactError, ledger, score, unpack
from nas.data import Task
from nas.experiment import Experiment
from nas.export import chosen, export, scored
from nas.record import packed_path, read
from nas.run import run


@pytest.fixture
def out(tiny: Callable[..., Experiment], tmp_path: Path) -> Path:
    run(tiny({"size_bytes": 160.0}), tmp_path / "run")
    return tmp_path / "run"


def trained(out: Path) -> list[int]:
    return [evaluation.id for evaluation in read(out)[1] if evaluation.history]


def test_every_trained_candidate_is_a_file_of_its_size_and_accuracy(out: Path, tiny_task: Task) -> None:
    for evaluation in read(out)[1]:
        path = packed_path(out, evaluation.id)
        assert path.exists() == bool(evaluation.history)
        if evaluation.history:
            packed = path.read_bytes()
            assert path.stat().st_size == evaluation.metrics["size_bytes"] == sum(entry.bytes for entry in ledger(packed))
            assert score(unpack(packed), tiny_task.validation) == evaluation.metrics["accuracy"]
            assert evaluation.metrics["size_bytes"] <= evaluation.metrics["flash_bytes"]


def test_the_packed_file_of_any_candidate_is_exported(out: Path, tmp_path: Path) -> None:
    for id in (*map(str, trained(out)), "best"):
        evaluation = export(out, id, "packed", tmp_path / "c.nas")
        assert (tmp_path / "c.nas").read_bytes() == packed_path(out, evaluation.id).read_bytes()
        assert id in (str(evaluation.id), "best")


def test_the_weights_are_exported_with_their_design(out: Path, tmp_path: Path) -> None:
    evaluation = export(out, "best", "torch", tmp_path / "c.safetensors")
    told = json.loads((tmp_path / "c.safetensors.json").read_text())
    assert told["design"] == dict(evaluation.design)
    assert told["metrics"] == evaluation.metrics
    weights = load_file(tmp_path / "c.safetensors")
    assert np.isfinite(weights["head.weight"]).all()
    assert weights["head.weight"].shape[0] == 3


def test_what_cannot_be_exported_is_refused(out: Path, tmp_path: Path) -> None:
    over = next(evaluation.id for evaluation in read(out)[1] if not evaluation.history)
    for id, message in (
        ("999", "an id must be"),
        ("-1", "an id must be"),
        ("x", "an id must be"),
        (str(over), "must have been trained"),
    ):
        with pytest.raises(ValueError, match=message):
            chosen(out, id)
    with pytest.raises(ValueError, match=r"a format must be one of .* but got 'pickle'"):
        export(out, "best", "pickle", tmp_path / "c")
    damaged = packed_path(out, chosen(out, "best").id)
    damaged.write_bytes(damaged.read_bytes()[:-1])
    with pytest.raises(ArtifactError, match="checksum"):
        export(out, "best", "packed", tmp_path / "c")
    assert not (tmp_path / "c").exists()


def test_a_file_is_scored_on_data_of_its_shape_only(out: Path, tmp_path: Path, tiny_task: Task) -> None:
    export(out, "best", "packed", tmp_path / "c.nas")
    np.savez(tmp_path / "data.npz", inputs=tiny_task.test.inputs.numpy(), labels=tiny_task.test.labels.numpy())
    found = scored(tmp_path / "c.nas", str(tmp_path / "data.npz"))
    program = unpack((tmp_path / "c.nas").read_bytes())
    assert found == {
        "bytes": (tmp_path / "c.nas").stat().st_size,
        "accuracy": score(program, tiny_task.test),
        "samples": len(tiny_task.test.labels),
    }
    with pytest.raises(ValueError, match=r"samples must be \(1, 4, 4\) .* but those of digits are \(1, 8, 8\)"):
        scored(tmp_path / "c.nas", "digits")


def test_the_commands_print_what_the_functions_return(out: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "c.nas"
    main(["export", str(out), "--out", str(file)])
    assert f"{file}: candidate" in capsys.readouterr().out
    main(["ledger", str(file), "--json"])
    rows = json.loads(capsys.readouterr().out)
    assert sum(row["bytes"] for row in rows) == file.stat().st_size
    assert {"layer", "purpose", "bytes"} == set(rows[0])
    main(["ledger", str(file)])
    assert f"{file.stat().st_size:>9}  in all" in capsys.readouterr().out
    with pytest.raises(SystemExit) as end:
        main(["score", str(tmp_path / "none.nas")])
    assert end.value.code == 1
