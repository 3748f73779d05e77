import re
from pathlib import Path

import numpy as np
import pytest
import torch

from nas.data import DataError, read_cifar10, read_cifar100
from nas.data.load import load_task
from nas.data.scored import load_scored

BATCHES = [*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin"]


def record(label: int, red: int, green: int, blue: int) -> bytes:
    return bytes([label]) + bytes([red]) * 1024 + bytes([green]) * 1024 + bytes([blue]) * 1024


def write(folder: Path) -> Path:
    for number, name in enumerate(BATCHES):
        (folder / name).write_bytes(record(number, 255, 0, 51) + record(9 - number, 0, number, 0))
    return folder


def test_the_batches_follow_one_another_and_the_planes_are_red_green_blue(tmp_path: Path) -> None:
    train, test = read_cifar10(write(tmp_path))
    assert train.inputs.shape == (10, 3, 32, 32)
    assert train.labels.tolist() == [0, 9, 1, 8, 2, 7, 3, 6, 4, 5]
    assert test.labels.tolist() == [5, 4]
    assert (train.inputs.dtype, train.labels.dtype) == (torch.float32, torch.int64)
    assert torch.equal(
        train.inputs[0], torch.tensor([255, 0, 51]).div(255)[:, None, None].expand(3, 32, 32)
    )
    assert torch.equal(
        test.inputs[1], torch.tensor([0, 5, 0]).div(255)[:, None, None].expand(3, 32, 32)
    )


def test_rows_come_before_columns(tmp_path: Path) -> None:
    write(tmp_path)
    plane = np.zeros((3, 32, 32), np.uint8)
    plane[2, 4, 30] = 255
    (tmp_path / "test_batch.bin").write_bytes(bytes([3]) + plane.tobytes())
    assert read_cifar10(tmp_path)[1].inputs.nonzero().tolist() == [[0, 2, 4, 30]]


@pytest.mark.parametrize("size", [0, 1, 3072, 3074, 2 * 3073 - 1])
@pytest.mark.parametrize("name", ["data_batch_3.bin", "test_batch.bin"])
def test_half_a_record_is_refused(name: str, size: int, tmp_path: Path) -> None:
    (write(tmp_path) / name).write_bytes(bytes(size))
    with pytest.raises(
        DataError,
        match=f"{re.escape(str(tmp_path / name))} must be records of 3073 bytes .* holds {size} bytes",
    ):
        read_cifar10(tmp_path)


def test_a_file_too_large_for_memory_is_refused(tmp_path: Path) -> None:
    with (write(tmp_path) / "test_batch.bin").open("r+b") as file:
        file.truncate(3073 * 500_000)  # a hole: it takes no room on the disk
    with pytest.raises(
        DataError,
        match=r"test_batch.bin must hold .* at most 4294967296 bytes as float32, but has shape \(1536500000,\)",
    ):
        read_cifar10(tmp_path)


def test_missing_batches_are_named(tmp_path: Path) -> None:
    (write(tmp_path) / "data_batch_2.bin").unlink()
    with pytest.raises(
        DataError,
        match=f"{re.escape(str(tmp_path))} must hold data_batch_1.bin, .* but lacks data_batch_2.bin$",
    ):
        read_cifar10(tmp_path)


def test_the_python_version_is_refused_because_it_is_pickles(tmp_path: Path) -> None:
    (tmp_path / "data_batch_1").write_bytes(b"\x80\x02}q")
    with pytest.raises(
        DataError,
        match=rf"{re.escape(str(tmp_path))} must hold the binary version .*cifar-10-binary.tar.gz.* pickle",
    ):
        read_cifar10(tmp_path)


def test_records_of_100_classes_have_two_labels_of_which_the_fine_one_counts(
    tmp_path: Path,
) -> None:
    records = [bytes([19 - label % 20]) + record(label, label, 0, 255) for label in range(100)]
    (tmp_path / "train.bin").write_bytes(b"".join(2 * records))
    (tmp_path / "test.bin").write_bytes(b"".join(records[:3]))
    train, test = read_cifar100(tmp_path)
    assert train.labels.tolist() == [*range(100), *range(100)]
    assert test.labels.tolist() == [0, 1, 2]
    assert torch.allclose(test.inputs[2, :, 5, 5], torch.tensor([2 / 255, 0.0, 1.0]))
    task = load_task(str(tmp_path))
    assert (task.classes, len(task.validation.labels)) == (100, 20)
    assert torch.equal(load_scored(str(tmp_path), (3, 32, 32), 100).split.inputs, test.inputs)
    (tmp_path / "train.bin").write_bytes(b"".join(records) + bytes(7))
    with pytest.raises(DataError, match=r"train\.bin must be records of 3074 bytes"):
        read_cifar100(tmp_path)
