"""Trained weights on disk, without pickles."""

import hashlib
import io
import zipfile
from pathlib import Path

import torch
from numpy.lib import format as npy
from torch import nn

from nas import durable
from nas.training.weights_file import read_weights


def encoded(model: nn.Module) -> bytes:
    """The state of `model` as a NumPy archive, an uncompressed .npz file."""
    buffer = io.BytesIO()
    # Like numpy.savez, which would mistake some names of tensors for its own arguments.
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, tensor in model.state_dict().items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                npy.write_array(file, tensor.numpy(), allow_pickle=False)
    return buffer.getvalue()


def save(model: nn.Module, path: Path) -> None:
    """Writes the state of `model` as `encoded`, atomically.

    Raises:
        OSError: if the disk is full or refuses.
    """
    durable.write(path, encoded(model))


def load(model: nn.Module, path: Path) -> bool:
    """Whether the state of `model` was set from a file of `save`: not if it is missing, damaged, or
    of another network.
    """
    wanted = {name: (tensor.shape, tensor.dtype) for name, tensor in model.state_dict().items()}
    try:
        state = {name: torch.from_numpy(array) for name, array in read_weights(path).items()}
    except (TypeError, ValueError):  # a TypeError is of arrays that are no tensors
        return False
    if {name: (tensor.shape, tensor.dtype) for name, tensor in state.items()} != wanted:
        return False
    model.load_state_dict(state)
    return True


def digest(model: nn.Module, *circumstances: object) -> str:
    """Sixteen hexadecimal digits, a hash of the state of `model` and of the `repr` of each of the
    circumstances.
    """
    found = hashlib.sha256(repr(circumstances).encode())
    for name, tensor in model.state_dict().items():
        found.update(repr((name, tensor.dtype, tuple(tensor.shape))).encode())
        found.update(tensor.contiguous().numpy().data)
    return found.hexdigest()[:16]
