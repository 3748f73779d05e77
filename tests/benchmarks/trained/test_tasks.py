from io import BytesIO
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from benchmarks.trained.tasks import cifar10_jpeg

COUNT, CLASSES = 40, 10


def _jpeg(label: int) -> bytes:
    buffer = BytesIO()
    Image.new("RGB", (32, 32), (25 * label, 0, 255 - 25 * label)).save(buffer, "JPEG", quality=75)
    return buffer.getvalue()


def test_images_are_decoded_shuffled_and_keep_their_labels(tmp_path: Path) -> None:
    arrays = {}
    labels = np.sort(np.arange(COUNT) % CLASSES).astype(np.uint8)
    for name in ("train", "test"):
        images = [_jpeg(int(label)) for label in labels]
        arrays[f"{name}_jpeg"] = np.frombuffer(b"".join(images), np.uint8)
        arrays[f"{name}_offsets"] = np.cumsum([0, *map(len, images)])
        arrays[f"{name}_y"] = labels
    np.savez(tmp_path / "cifar10_jpeg_bytes.npz", allow_pickle=False, **arrays)
    task = cifar10_jpeg(tmp_path)
    assert task.name == "CIFAR-10 (JPEG q75)"
    assert (len(task.train.labels), len(task.validation.labels)) == (36, 4)
    for split in (task.train, task.validation, task.test):
        red = split.inputs[:, 0].mean((1, 2))
        assert torch.allclose(red, 25 * split.labels / 255, atol=0.02)
        assert split.inputs.shape[1:] == (3, 32, 32)
    assert task.train.labels.tolist() != sorted(task.train.labels.tolist())
    assert torch.equal(task.train.labels, cifar10_jpeg(tmp_path).train.labels)
