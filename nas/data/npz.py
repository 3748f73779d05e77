"""NumPy archives of arrays, without pickles."""

import math
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.lib import format as npy
from numpy.typing import NDArray
from torch import Tensor

from nas.data.files import DataError, check_size, reading, scaled
from nas.data.task import Split

_CHANNELS = (1, 3)


def read_npz(path: Path, inputs: str, labels: str) -> Split:
    """The arrays named `inputs` and `labels` in an archive of `numpy.savez` or
    `numpy.savez_compressed`.

    Inputs are a table [N, F], gray images [N, H, W], or images of 1 or 3 channels, [N, C, H, W] or
    [N, H, W, C]. Bytes are scaled to [0, 1]; floating point numbers are taken as they are.

    Raises:
        DataError: if the archive is damaged or too large, or an array is missing or of another type
            or shape.
    """
    with reading(path, "an .npz archive"), zipfile.ZipFile(path) as archive:
        samples, classes = (
            _channels_first(path, inputs, _read(path, archive, inputs)),
            _read(path, archive, labels),
        )
    if classes.ndim != 1 or classes.dtype.kind not in "iu":
        raise DataError(
            f"{labels!r} in {path} must be integers [N], but is {classes.dtype} {classes.shape}"
        )
    if len(samples) != len(classes):
        raise DataError(
            f"{path} must hold a label for each input, but has {len(samples)} inputs and {len(classes)} labels"
        )
    return Split(_numbers(path, inputs, samples), torch.from_numpy(classes.astype(np.int64)))


def _read(path: Path, archive: zipfile.ZipFile, name: str) -> NDArray[Any]:
    members = {
        member.filename.removesuffix(".npy"): member
        for member in archive.infolist()
        if member.filename.endswith(".npy")
    }
    if name not in members:
        raise DataError(f"{path} must hold an array named {name!r}, but holds {sorted(members)}")
    if members[name].compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        # Others take memory as their own headers say.
        raise DataError(
            f"{name!r} in {path} must be stored or deflated, as NumPy writes it, but is otherwise compressed"
        )
    with archive.open(members[name]) as file:
        # The header is checked first, because NumPy allocates whatever its shape claims. Later
        # versions of the format are for structured types only.
        version = npy.read_magic(file)
        if version != (1, 0):
            raise DataError(
                f"{name!r} in {path} must be of version (1, 0) of the .npy format, but is of {version}"
            )
        shape, _, dtype = npy.read_array_header_1_0(file)
        if dtype.hasobject:
            raise DataError(
                f"{name!r} in {path} must hold numbers, but holds Python objects: they are stored as a pickle, and "
                "opening a pickle can run any code that it names"
            )
        check_size(path, shape, dtype.itemsize)
        expected, held = math.prod(shape) * dtype.itemsize, members[name].file_size - file.tell()
        if expected != held:
            raise DataError(
                f"{name!r} in {path} must hold {expected} bytes for its shape {shape} of {dtype}, but holds {held}"
            )
        file.seek(0)
        array: NDArray[Any] = npy.read_array(file, allow_pickle=False)
    return array


def _channels_first(path: Path, name: str, array: NDArray[Any]) -> NDArray[Any]:
    shape = array.shape
    if array.ndim == 2:
        return array
    if array.ndim == 3:
        return array[:, None]
    if array.ndim == 4 and (shape[1] in _CHANNELS) != (shape[3] in _CHANNELS):
        return array if shape[1] in _CHANNELS else array.transpose(0, 3, 1, 2)
    raise DataError(
        f"{name!r} in {path} must be [N, F], [N, H, W], [N, C, H, W] or [N, H, W, C], with 1 or 3 channels either first or "
        f"last, but has shape {shape}"
    )


def _numbers(path: Path, name: str, array: NDArray[Any]) -> Tensor:
    if array.dtype == np.uint8:
        return scaled(array)
    if array.dtype.kind != "f":
        raise DataError(
            f"{name!r} in {path} must be uint8 or floating point numbers, but is {array.dtype}"
        )
    # Values beyond the range of float32 become infinite, which a task refuses.
    with np.errstate(over="ignore", invalid="ignore"):
        return torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32))
