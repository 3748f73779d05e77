"""The data of the networks: Fashion-MNIST, and CIFAR-10 (JPEG q75)."""

from io import BytesIO
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from nas.data import Split, Task, hold_out, read_mnist
from nas.seeds import generator

CIFAR10_JPEG = "CIFAR-10 (JPEG q75)"
_FILE = "cifar10_jpeg_bytes.npz"


def fashion_mnist(folder: Path) -> Task:
    """A folder of Fashion-MNIST's files, or of others in their format; a tenth is for validation."""
    train, test = read_mnist(folder)
    return hold_out(folder.name, train, test, 10, generator(0, "split"))


def cifar10_jpeg(folder: Path) -> Task:
    """CIFAR-10 whose images were stored as JPEG of quality 75, in an archive of their bytes.

    Accuracies do not compare with those on CIFAR-10: what JPEG loses costs a network trained on the
    lossless images some ten points. A tenth of the training images is for validation. Images are
    shuffled, because those of the archive are sorted by class.
    """
    with np.load(folder / _FILE, allow_pickle=False) as archive:
        train, test = (
            _decoded(archive[f"{name}_jpeg"], archive[f"{name}_offsets"], archive[f"{name}_y"])
            for name in ("train", "test")
        )
    order = torch.from_numpy(generator(0, "shuffle").permutation(len(train.labels)))
    shuffled = Split(train.inputs[order], train.labels[order])
    return hold_out(CIFAR10_JPEG, shuffled, test, 10, generator(0, "split"))


def _decoded(
    data: NDArray[np.uint8], offsets: NDArray[np.int64], labels: NDArray[np.uint8]
) -> Split:
    """Images [N, 3, H, W] in [0, 1]; image i has the bytes from offset i to offset i + 1."""
    images = np.stack(
        [
            np.asarray(Image.open(BytesIO(data[start:stop].tobytes()), formats=("JPEG",)))
            for start, stop in pairwise(offsets)
        ]
    )
    inputs = torch.from_numpy(images).permute(0, 3, 1, 2).contiguous().float().div_(255)
    return Split(inputs, torch.from_numpy(labels.astype(np.int64)))
