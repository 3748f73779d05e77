"""Trained weights on disk, without pickles."""

import io
import zipfile
from pathlib import Path

import numpy as np
import torch
from torch import nn

from nas import durable


def save(model: nn.Module, path: Path) -> None:
    """Writes the state of `model` as a NumPy archive."""
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **{name: tensor.numpy() for name, tensor in model.state_dict().items()})
    durable.write(path, buffer.getvalue())


def load(model: nn.Module, path: Path) -> bool:
    """Sets the state of `model` from a file of `save`; False if the file is missing, damaged, or of another network."""
    wanted = {name: tensor.shape for name, tensor in model.state_dict().items()}
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            state = {name: torch.from_numpy(archive[name]) for name in archive.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile):
        return False
    if {name: tensor.shape for name, tensor in state.items()} != wanted:
        return False
    model.load_state_dict(state)
    return True
