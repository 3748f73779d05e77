from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from nas.data import DataError, digits
from nas.data.load import load_task
from nas.data.scored import load_scored
from nas.seeds import generator


def rng() -> np.random.Generator:
    return generator(0, "data")


def paint(folder: Path, counts: dict[str, int], mode: str = "L") -> None:
    for name, count in counts.items():
        (folder / name).mkdir(parents=True)
        for number in range(count):
            Image.new(mode, (5, 4), 10 * number).save(folder / name / f"{number}.png")


def test_digits_are_the_task_of_that_name() -> None:
    task = load_task("digits", generator(0, "digits"))
    assert task.digest == digits(generator(0, "digits")).digest


def test_an_archive_is_split_in_three(tmp_path: Path) -> None:
    inputs, labels = np.zeros((50, 4, 4), np.uint8), np.arange(50) % 5
    np.savez(tmp_path / "d.npz", inputs=inputs, labels=labels)
    task = load_task(str(tmp_path / "d.npz"), rng())
    assert (task.name, task.classes) == ("d.npz", 5)
    assert [len(part.labels) for part in (task.train, task.validation, task.test)] == [30, 10, 10]
    assert task.example.shape == (1, 1, 4, 4)


def test_images_have_the_size_and_the_channels_of_the_first(tmp_path: Path) -> None:
    paint(tmp_path / "gray", {"a": 10, "b": 10})
    paint(tmp_path / "color", {"a": 10, "b": 10}, "RGB")
    gray = load_task(str(tmp_path / "gray"), rng())
    assert (gray.example.shape, gray.class_names) == ((1, 1, 4, 5), ("a", "b"))
    task = load_task(str(tmp_path / "color"), rng())
    assert task.example.shape == (1, 3, 4, 5)
    assert [len(part.labels) for part in (task.train, task.validation, task.test)] == [12, 4, 4]


def test_folders_of_training_and_test_images_stay_apart(tmp_path: Path) -> None:
    paint(tmp_path / "train", {"a": 10, "b": 10})
    paint(tmp_path / "test", {"a": 2, "b": 3})
    task = load_task(str(tmp_path), rng())
    assert task.test.labels.tolist() == [0, 0, 1, 1, 1]
    assert [len(part.labels) for part in (task.train, task.validation)] == [18, 2]
    test = load_scored(str(tmp_path), (1, 4, 5), 2)
    assert torch.equal(test.split.inputs, task.test.inputs)
    assert f"the images of {tmp_path / 'test'}" in test.what
    paint(tmp_path / "test", {"c": 1})
    with pytest.raises(DataError, match="must hold the classes of training"):
        load_task(str(tmp_path), rng())


def test_images_are_gray_only_if_all_are(tmp_path: Path) -> None:
    paint(tmp_path, {"a": 10, "b": 10})
    Image.new("RGB", (9, 7), (255, 0, 0)).save(tmp_path / "b" / "red.png")
    task = load_task(str(tmp_path))
    assert task.example.shape == (1, 3, 4, 5)


def test_images_for_validation_stay_apart_too(tmp_path: Path) -> None:
    for part, count in (("train", 6), ("val", 2), ("test", 3)):
        paint(tmp_path / part, {"a": count, "b": count})
    task = load_task(str(tmp_path))
    sizes = [len(part.labels) for part in (task.train, task.validation, task.test)]
    assert sizes == [12, 4, 6]


def test_labels_may_be_texts(tmp_path: Path) -> None:
    labels = np.array(["dog", "cat"])[np.arange(40) % 2]
    np.savez(tmp_path / "d.npz", inputs=np.zeros((40, 3)), labels=labels[:, None])
    np.savez(tmp_path / "s.npz", signals=np.zeros((40, 3, 8)), labels=labels)
    for name in ("d.npz", "s.npz"):
        task = load_task(str(tmp_path / name))
        assert task.class_names == ("cat", "dog")
        assert task.train.labels.bincount().tolist() == [12, 12]


@pytest.mark.fault(45)
def test_data_that_is_not_there_is_refused(tmp_path: Path) -> None:
    for data in ("none", "none.npz", "none.csv"):
        with pytest.raises(DataError, match=f"{data} .*is missing"):
            load_task(str(tmp_path / data), rng())
    (tmp_path / "d.xlsx").write_bytes(b"PK")
    with pytest.raises(
        DataError, match=r"data must be digits, a folder, .*d\.xlsx is another file"
    ):
        load_task(str(tmp_path / "d.xlsx"))
