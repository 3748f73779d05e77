"""`nas score` scores right, or refuses with the true reason, and says what it scored."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import nn

from nas.cli.main import main
from nas.cli.score import score_file
from nas.data.load import load_task
from nas.experiment import Experiment
from nas.lowering import lower
from nas.packed import class_names, pack, with_class_names
from nas.runs.directory import packed_path, read_class_names
from nas.runs.run import run
from nas.seeds import generator

LIGHTS = {"a_dark": 20, "b_mid": 128, "c_bright": 230}
NAMES = tuple(LIGHTS)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A packed file of a network that tells dark, mid and bright images of 8 by 8 apart."""
    model = nn.Sequential(nn.AvgPool2d(8), nn.Flatten(), nn.Linear(1, 3))
    model[2].weight.data = torch.tensor([[0.0], [10.0], [20.0]])
    model[2].bias.data = torch.tensor([0.0, -3.3, -10.0])
    gray = torch.linspace(0, 1, 64)[:, None, None, None].expand(64, 1, 8, 8)
    path = tmp_path / "f.nas"
    path.write_bytes(pack(lower(model, gray.contiguous())))
    return path


def paint(folder: Path, names: Sequence[str] = NAMES, count: int = 1) -> Path:
    for name in names:
        (folder / name).mkdir(parents=True)
        light = LIGHTS.get(name, 0)
        for number in range(count):
            pixels = np.full((8, 8), light, np.uint8)
            pixels[0, 0] = number
            Image.fromarray(pixels).save(folder / name / f"{number}.png")
    return folder


def archive(path: Path, inputs: NDArray[Any], labels: Sequence[int]) -> Path:
    np.savez(path, inputs=inputs, labels=np.array(labels))
    return path


def images() -> NDArray[np.uint8]:
    return np.stack([np.full((8, 8), light, np.uint8) for light in LIGHTS.values()])


def refusal(file: Path, data: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """What is printed where the score is refused."""
    with pytest.raises(SystemExit) as end:
        main(["score", str(file), "--data", str(data)])
    assert end.value.code == 2
    return capsys.readouterr().err


def test_a_folder_of_all_classes_is_scored_and_named(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = paint(tmp_path / "whole")
    main(["score", str(file), "--data", str(folder)])
    assert (
        f"accuracy 1.0000 on 3 samples: all 3 images of {folder}, training images among them if the "
        "search had them, classes in the order of their names" in capsys.readouterr().out
    )
    main(["score", str(file), "--data", str(folder), "--json"])
    assert json.loads(capsys.readouterr().out)["accuracy"] == 1.0


@pytest.mark.parametrize("lacking", NAMES)
def test_a_folder_that_lacks_a_class_is_refused_without_names_and_right_with_them(
    lacking: str, file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = paint(tmp_path / "lacking", [name for name in NAMES if name != lacking])
    assert "a folder for each of the 3 classes" in (said := refusal(file, folder, capsys))
    assert "but holds 2" in said
    file.write_bytes(with_class_names(file.read_bytes(), NAMES))
    assert score_file(file, str(folder))["accuracy"] == 1.0


def test_folders_of_other_names_are_refused_by_a_file_with_names(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_bytes(with_class_names(file.read_bytes(), NAMES))
    folder = paint(tmp_path / "other", (*NAMES[:2], "bright"))
    assert "names of the classes, a_dark, b_mid, c_bright, but holds bright" in refusal(
        file, folder, capsys
    )


def test_more_folders_than_classes_are_refused(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = refusal(file, paint(tmp_path / "more", (*NAMES, "d")), capsys)
    assert "3 classes" in said
    assert "holds 4" in said


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ((1, 2, 3), "must lie in 0 … 2, but label 2 is 3"),
        ((0, -1, 1), "must lie in 0 … 2, but label 1 is -1"),
        ((0, 1), "a label for each input"),
    ],
)
def test_labels_of_other_classes_are_refused(
    labels: Sequence[int],
    message: str,
    file: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert message in refusal(file, archive(tmp_path / "d.npz", images(), labels), capsys)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_inputs_that_are_not_finite_are_refused(
    value: float, file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    inputs = images() / 255
    inputs[1, 2, 3] = value
    said = refusal(file, archive(tmp_path / "d.npz", inputs, range(3)), capsys)
    assert "must be finite, but sample 1 holds" in said


@pytest.mark.parametrize("shape", [(3, 64), (3, 8, 9), (3, 3, 8, 8)])
def test_samples_of_another_shape_are_refused(
    shape: tuple[int, ...], file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = refusal(file, archive(tmp_path / "d.npz", np.zeros(shape, np.uint8), range(3)), capsys)
    assert "must be (1, 8, 8)" in said


def test_an_archive_that_lacks_a_class_is_scored_right(file: Path, tmp_path: Path) -> None:
    found = score_file(file, str(archive(tmp_path / "d.npz", images()[[0, 2]], (0, 2))))
    assert (found["accuracy"], found["samples"]) == (1.0, 2)


def test_inputs_that_are_not_scaled_as_in_training_are_told(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for inputs, clipped in ((images() / 255, False), (images().astype(np.float32), True)):
        main(["score", str(file), "--data", str(archive(tmp_path / "d.npz", inputs, range(3)))])
        said = capsys.readouterr().out
        assert ("100% of the values lie outside of what the file reads" in said) == clipped


def test_images_for_a_network_of_tables_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "table.nas"
    table.write_bytes(pack(lower(nn.Sequential(nn.Linear(4, 3)), torch.rand(8, 4))))
    assert "but holds folders of images" in refusal(table, paint(tmp_path / "images"), capsys)


def test_a_run_scores_what_it_held_out_and_keeps_the_names(
    tiny: Callable[..., Experiment], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, out, exported = (
        paint(tmp_path / "images", count=10),
        tmp_path / "run",
        tmp_path / "e.nas",
    )
    task = load_task(str(folder), generator(0, "data"))
    result = run(tiny(task=task, trials=1), out)
    assert result.best is not None
    assert read_class_names(out) == NAMES
    packed = packed_path(out, result.best.id)
    assert class_names(packed.read_bytes()) is None
    inside = score_file(packed, str(folder))
    assert (inside["accuracy"], inside["samples"]) == (result.test_accuracy, 6)
    assert inside["scored"] == f"the test split of {folder}, which the search held out"
    main(["export", str(out), "--class-names", "--out", str(exported)])
    assert class_names(exported.read_bytes()) == NAMES
    assert exported.stat().st_size > packed.stat().st_size
    assert score_file(exported, str(folder))["samples"] == 30
    assert score_file(exported, str(folder), out)["samples"] == 6
    lacking = paint(tmp_path / "lacking", NAMES[1:])
    assert score_file(packed, str(lacking)) == {
        **score_file(exported, str(lacking)),
        "bytes": packed.stat().st_size,
    }
    other = tmp_path / "ten.nas"
    other.write_bytes(pack(lower(nn.Sequential(nn.Linear(4, 10)), torch.rand(8, 4))))
    with pytest.raises(ValueError, match="run, but has 10: is it of another run"):
        score_file(other, "digits", out)
    with pytest.raises(SystemExit):
        main(["export", str(out), "--class-names", "--to", "torch", "--out", str(exported)])
    assert "class names are written to the formats 'packed'" in capsys.readouterr().err


def test_names_are_not_written_where_there_are_none(
    tiny: Callable[..., Experiment], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(tiny(trials=1), tmp_path / "run")
    with pytest.raises(SystemExit):
        main(["export", str(tmp_path / "run"), "--class-names", "--out", str(tmp_path / "e.nas")])
    assert "must have class names for them to be written, but has none" in capsys.readouterr().err


def test_a_file_is_scored_under_the_rounding_of_its_run_or_the_given_one(
    tiny: Callable[..., Experiment], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment, out = tiny(trials=1, rounding="double"), tmp_path / "run"
    measured, scored = list[str](), list[str]()

    def recorded(found: list[str], given: Any) -> Callable[..., Any]:
        def scoring(*_: Any, rounding: str, **__: Any) -> Any:
            found.append(rounding)
            return given

        return scoring

    accuracy = {"accuracy": 0.5}
    monkeypatch.setattr("nas.evaluation.measuring.qualities", recorded(measured, accuracy))
    monkeypatch.setattr("nas.runs.run.score_test", recorded(measured, 0.5))
    run(experiment, out)
    assert measured == ["double", "double"]  # validation samples, and test samples
    monkeypatch.setattr("nas.cli.score.qualities", recorded(scored, accuracy))
    test, packed = experiment.task.test, packed_path(out, 0)
    data = archive(tmp_path / "data.npz", test.inputs.numpy(), test.labels.tolist())
    score_file(packed, str(data))
    score_file(packed, str(data), rounding="single")
    copied = tmp_path / "copied.nas"
    copied.write_bytes(packed.read_bytes())
    score_file(copied, str(data))
    assert scored == ["double", "single", "single"]
