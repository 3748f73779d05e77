import dataclasses
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors.numpy import load_file
from torch import Tensor

from nas.cli.main import main
from nas.cli.score import score_file
from nas.data import Split, Task
from nas.data.scored import load_scored
from nas.experiment import Experiment
from nas.measure.host import run_onnx
from nas.measure.parity import Parity
from nas.packed import ArtifactError, ledger, unpack
from nas.program import logits, score
from nas.runs.directory import packed_path, weights_path
from nas.runs.export import export, find_candidate
from nas.runs.formats import FORMATS, ExportedCandidate, ExportFormat
from nas.runs.journal import read_journal
from nas.runs.retrain import restored
from nas.runs.run import run
from nas.training.recipe import Recipe


@pytest.fixture
def out(tiny: Callable[..., Experiment], tmp_path: Path) -> Path:
    run(tiny({"size_bytes": 160.0}), tmp_path / "run")
    return tmp_path / "run"


def trained(out: Path) -> list[int]:
    return [evaluation.id for evaluation in read_journal(out)[1] if evaluation.history]


def test_every_trained_candidate_is_a_file_of_its_size_and_accuracy(
    out: Path, tiny_task: Task
) -> None:
    for evaluation in read_journal(out)[1]:
        path = packed_path(out, evaluation.id)
        assert path.exists() == bool(evaluation.history)
        if evaluation.history:
            packed = path.read_bytes()
            assert (
                path.stat().st_size
                == evaluation.metrics["size_bytes"]
                == sum(entry.bytes for entry in ledger(packed))
            )
            assert score(unpack(packed), tiny_task.validation) == evaluation.metrics["accuracy"]
            assert evaluation.metrics["size_bytes"] <= evaluation.metrics["flash_bytes"]


def test_the_packed_file_of_any_candidate_is_exported(out: Path, tmp_path: Path) -> None:
    for id in (*map(str, trained(out)), "best"):
        evaluation = export(out, id, "packed", tmp_path / "c.nas").evaluation
        assert (tmp_path / "c.nas").read_bytes() == packed_path(out, evaluation.id).read_bytes()
        assert id in (str(evaluation.id), "best")


def test_the_weights_are_exported_with_their_design(out: Path, tmp_path: Path) -> None:
    evaluation = export(out, "best", "torch", tmp_path / "c.safetensors").evaluation
    description = json.loads((tmp_path / "c.safetensors.json").read_text())
    assert description["design"] == dict(evaluation.design)
    assert description["metrics"] == evaluation.metrics
    weights = load_file(tmp_path / "c.safetensors")
    assert np.isfinite(weights["head.weight"]).all()
    assert weights["head.weight"].shape[0] == 3


def test_a_program_is_exported_as_onnx_that_says_the_same(
    out: Path, tmp_path: Path, tiny_task: Task
) -> None:
    evaluation = export(out, "best", "onnx", tmp_path / "c.onnx").evaluation
    said = run_onnx(onnx.load(tmp_path / "c.onnx"), tiny_task.validation.inputs.numpy()).argmax(1)
    np.testing.assert_array_equal(
        said,
        logits(
            unpack(packed_path(out, evaluation.id).read_bytes()), tiny_task.validation.inputs
        ).argmax(1),
    )


def test_a_format_is_a_row_of_a_table(
    out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def write(candidate: ExportedCandidate, target: Path) -> None:
        target.write_text(f"{candidate.evaluation.id}: {len(candidate.packed)} bytes")

    monkeypatch.setitem(FORMATS, "text", ExportFormat("how long the file is", write))
    main(["export", str(out), "--to", "text", "--out", str(tmp_path / "c.txt")])
    found = find_candidate(out, "best")
    assert (
        tmp_path / "c.txt"
    ).read_text() == f"{found.id}: {found.metrics['size_bytes']:.0f} bytes"
    capsys.readouterr()
    for arguments in (["--help"], ["export", "--help"]):
        with suppress(SystemExit):
            main(arguments)
        assert "how long the file is" in " ".join(capsys.readouterr().out.split())


def told(capsys: pytest.CaptureFixture[str]) -> str:
    """What an export says of how its file agrees with the packed one."""
    return capsys.readouterr().out.splitlines()[-1].partition(": ")[2]


@pytest.mark.parametrize("to", ["packed", "onnx", "tflite", "tflite-micro"])
def test_files_say_what_the_packed_file_says(
    out: Path, tmp_path: Path, to: str, capsys: pytest.CaptureFixture[str], tiny_task: Task
) -> None:
    if to.startswith("tflite"):
        pytest.importorskip("ai_edge_litert" if to == "tflite" else "tflite_micro")
    exported = export(out, "best", to, tmp_path / "c")
    assert exported.parity == Parity(512, 0.0, 0.0, 0.0)
    on_samples = export(out, "best", to, tmp_path / "c", samples=lambda _: tiny_task.test.inputs)
    assert on_samples.parity == Parity(len(tiny_task.test.labels), 0.0, 0.0, 0.0)
    main(["export", str(out), "--to", to, "--out", str(tmp_path / "c")])
    rounded = ", whose sums are rounded twice," if to == "tflite-micro" else ""
    assert told(capsys) == (
        f"compared with the packed file{rounded} on 512 random inputs, 0.00% of logits differ, by 0 steps at most; "
        "0.00% of classes differ"
    )


@pytest.mark.parametrize(
    ("to", "missing", "message"),
    [
        ("tflite", "ai_edge_litert", "LiteRT must be installed: pip install"),
        ("tflite-micro", "tflite_micro", "its runtime must be installed: pip install"),
    ],
)
def test_a_file_whose_runtime_is_missing_is_not_compared(
    out: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    to: str,
    missing: str,
    message: str,
) -> None:
    monkeypatch.setattr(
        "nas.runs.formats.find_spec", lambda name: None if name == missing else find_spec(name)
    )
    main(["export", str(out), "--to", to, "--out", str(tmp_path / "c")])
    assert told(capsys).startswith(f"not compared with the packed file: {message}")
    assert (tmp_path / "c").exists()


def test_a_format_whose_writer_is_missing_is_refused(
    out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("nas.runs.formats.find_spec", lambda name: None)
    with pytest.raises(SystemExit):
        main(["export", str(out), "--to", "tflite", "--out", str(tmp_path / "c")])
    assert "pip install 'compact-nas[tflite]'" in capsys.readouterr().err
    assert not (tmp_path / "c").exists()


def test_weights_are_compared_by_the_network_that_an_experiment_builds(
    tiny: Callable[..., Experiment], out: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert export(out, "best", "torch", tmp_path / "c").parity is None
    main(["export", str(out), "--to", "torch", "--out", str(tmp_path / "c")])
    assert told(capsys).startswith("not compared with the packed file: weights need a network")
    experiment = tiny({"size_bytes": 160.0})
    found = export(out, "best", "torch", tmp_path / "c", experiment).parity
    assert found is not None
    assert found.samples == len(experiment.task.validation.labels)
    assert found.steps <= 1.0


def test_a_file_that_chooses_other_classes_is_said_to(
    out: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    packed = FORMATS["packed"]
    assert packed.said is not None

    def said(candidate: ExportedCandidate, path: Path, inputs: Tensor) -> NDArray[np.float32]:
        assert packed.said is not None
        found = packed.said(candidate, path, inputs)
        assert found is not None
        return -found

    monkeypatch.setitem(FORMATS, "packed", dataclasses.replace(packed, said=said))
    main(["export", str(out), "--out", str(tmp_path / "c")])
    assert told(capsys).endswith("of classes differ; NOT the same answers")


def test_samples_of_another_shape_are_refused_before_anything_is_written(
    out: Path, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=r"samples must be \(1, 4, 4\), but are \(3,\)"):
        export(out, "best", "packed", tmp_path / "c", samples=lambda _: torch.zeros(2, 3))
    assert not (tmp_path / "c").exists()


def test_retraining_with_the_run_s_experiment_gives_the_run_s_file(
    tiny: Callable[..., Experiment], out: Path, tmp_path: Path
) -> None:
    before = sorted(path.name for path in out.rglob("*"))
    evaluation = export(
        out, "best", "packed", tmp_path / "c.nas", tiny({"size_bytes": 160.0})
    ).evaluation
    assert (tmp_path / "c.nas").read_bytes() == packed_path(out, evaluation.id).read_bytes()
    program, task = unpack((tmp_path / "c.nas").read_bytes()), tiny().task
    tested = {"test_accuracy": score(program, task.test)}
    assert evaluation.metrics == {**find_candidate(out, "best").metrics, **tested}
    assert sorted(path.name for path in out.rglob("*")) == before


def test_retraining_follows_the_recipe_that_is_given(
    tiny: Callable[..., Experiment], out: Path, tmp_path: Path
) -> None:
    recipe = Recipe(epochs=3, finetune_epochs=2, batch_size=10, lr=0.03, finetune_lr=0.03)
    evaluation = export(
        out, "best", "torch", tmp_path / "c.st", tiny({"size_bytes": 160.0}, recipe=recipe)
    ).evaluation
    known = find_candidate(out, "best")
    assert (evaluation.id, evaluation.design, len(evaluation.history)) == (
        known.id,
        known.design,
        5,
    )
    assert json.loads((tmp_path / "c.st.json").read_text())["metrics"] == evaluation.metrics
    with np.load(weights_path(out, known.id)) as archive:
        trained_longer = load_file(tmp_path / "c.st")
        assert set(trained_longer) == set(archive.files)
        assert not np.array_equal(trained_longer["head.weight"], archive["head.weight"])


def test_retraining_takes_other_samples_of_the_task(
    tiny: Callable[..., Experiment], out: Path, tmp_path: Path, tiny_task: Task
) -> None:
    fewer = tiny({"size_bytes": 160.0}, task=tiny_task.first(30), final_epochs=4)
    evaluation = export(out, "best", "packed", tmp_path / "c.nas", fewer).evaluation
    known = find_candidate(out, "best")
    assert (evaluation.genotype, len(evaluation.history)) == (known.genotype, 4)
    program = unpack((tmp_path / "c.nas").read_bytes())
    assert evaluation.metrics["test_accuracy"] == score(program, tiny_task.test)
    # Weights that were trained on other samples may know those that are held out.
    with pytest.raises(ValueError, match="by the experiment that found it, but task was"):
        restored(fewer, out, known)


def wide(split: Split) -> Split:
    return Split(torch.cat((split.inputs, split.inputs), dim=3), split.labels)


def test_only_the_experiment_of_a_run_retrains_its_candidates(
    tiny: Callable[..., Experiment], out: Path, tmp_path: Path, tiny_task: Task
) -> None:
    for change, message in (
        ({"name": "other"}, "but name was blobs and is other$"),
        ({"classes": 4}, "but number of classes was 3 and is 4$"),
        (
            {part: wide(getattr(tiny_task, part)) for part in ("train", "validation", "test")},
            r"but input shape was \(1, 4, 4\) and is \(1, 4, 8\)$",
        ),
    ):
        other = tiny({"size_bytes": 160.0}, task=replace(tiny_task, **change))
        with pytest.raises(ValueError, match=f"must be trained on the task of the run.*{message}"):
            export(out, "best", "packed", tmp_path / "c", other)
    with pytest.raises(ValueError, match="by the experiment that found it, but compressors was"):
        export(out, "best", "packed", tmp_path / "c", tiny(compressors=()))
    with pytest.raises(
        RuntimeError, match=r"must train again, but is OVER_BUDGET: size_bytes .* > 20"
    ):
        export(out, "best", "packed", tmp_path / "c", tiny({"size_bytes": 20.0}))
    assert not (tmp_path / "c").exists()


def test_what_cannot_be_exported_is_refused(out: Path, tmp_path: Path) -> None:
    over = next(evaluation.id for evaluation in read_journal(out)[1] if not evaluation.history)
    for id, message in (
        ("999", "an id must be"),
        ("-1", "an id must be"),
        ("x", "an id must be"),
        (str(over), "must have been trained"),
    ):
        with pytest.raises(ValueError, match=message):
            find_candidate(out, id)
    with pytest.raises(ValueError, match=r"a format must be one of .* but got 'pickle'"):
        export(out, "best", "pickle", tmp_path / "c")
    damaged = packed_path(out, find_candidate(out, "best").id)
    damaged.write_bytes(damaged.read_bytes()[:-1])
    with pytest.raises(ArtifactError, match="checksum"):
        export(out, "best", "packed", tmp_path / "c")
    assert not (tmp_path / "c").exists()


def test_a_file_is_scored_on_data_of_its_shape_only(
    out: Path, tmp_path: Path, tiny_task: Task
) -> None:
    export(out, "best", "packed", tmp_path / "c.nas")
    np.savez(
        tmp_path / "data.npz",
        inputs=tiny_task.test.inputs.numpy(),
        labels=tiny_task.test.labels.numpy(),
    )
    found = score_file(tmp_path / "c.nas", str(tmp_path / "data.npz"))
    program = unpack((tmp_path / "c.nas").read_bytes())
    assert found == {
        "bytes": (tmp_path / "c.nas").stat().st_size,
        "accuracy": score(program, tiny_task.test),
        "samples": len(tiny_task.test.labels),
        "scored": f"all 30 samples of {tmp_path / 'data.npz'}, training samples among them if the search had them",
        "clipped": 0.0,
    }
    with pytest.raises(
        ValueError, match=r"samples of digits must be \(1, 4, 4\) .* but are \(1, 8, 8\)"
    ):
        score_file(tmp_path / "c.nas", "digits")


def test_the_commands_print_what_the_functions_return(
    out: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "c.nas"
    main(["export", str(out), "--out", str(file)])
    assert f"{file}: candidate" in capsys.readouterr().out
    main(["ledger", str(file), "--json"])
    rows = json.loads(capsys.readouterr().out)
    assert sum(row["bytes"] for row in rows) == file.stat().st_size
    assert {"layer", "purpose", "bytes"} == set(rows[0])
    main(["ledger", str(file)])
    assert f"{file.stat().st_size:>9}  in all" in capsys.readouterr().out
    for arguments, status, message in (
        (["score", str(tmp_path / "none.nas")], 1, "No such file"),
        (
            ["export", str(out), "--out", str(file), "--epochs", "3"],
            2,
            "there is no option --epochs; options of an experiment need",
        ),
    ):
        with pytest.raises(SystemExit) as end:
            main(arguments)
        assert end.value.code == status
        assert message in capsys.readouterr().err


def test_data_is_recognized_by_its_files(tmp_path: Path) -> None:
    images, batches = tmp_path / "images", tmp_path / "cifar"
    for name in ("a", "b"):
        (images / name).mkdir(parents=True)
        Image.new("L", (9, 7), 255 if name == "b" else 0).save(images / name / "1.png")
    found = load_scored(str(images), (1, 4, 5), 2).split
    assert found.inputs.shape == (2, 1, 4, 5)
    assert [float(image.mean()) for image in found.inputs] == found.labels.tolist() == [0, 1]
    batches.mkdir()
    for batch in ("test_batch", *(f"data_batch_{number}" for number in range(1, 6))):
        (batches / f"{batch}.bin").write_bytes(
            bytes([7 if batch == "test_batch" else 3]) + bytes(3072)
        )
    assert load_scored(str(batches), (3, 32, 32), 10).split.labels.tolist() == [7]
    assert len(load_scored("digits", (1, 8, 8), 10).split.labels) == 359
