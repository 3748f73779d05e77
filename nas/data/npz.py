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

from nas.data.division import GROUP, PART, Division
from nas.data.files import DataError, check_size, reading, scaled
from nas.data.task import Split
from nas.preprocessing import RawKind
from nas.quality import TaskKind

_CHANNELS = (1, 3)


def read_npz(path: Path, inputs: str, labels: str, kind: TaskKind = "classification") -> Split:
    """The arrays named `inputs` and `labels` in an archive of `numpy.savez` or
    `numpy.savez_compressed`.

    Inputs are a table [N, F], gray images [N, H, W], or images of 1 or 3 channels, [N, C, H, W] or
    [N, H, W, C]. Labels are class indices, [N] or [N, 1], or one-hot, [N, classes], or texts, [N] or
    [N, 1], whose classes are sorted, and with the `kind` "regression" targets, numbers [N] or [N, K].
    Bytes are scaled to [0, 1]; floating point numbers are taken as they are.

    Raises:
        DataError: if the archive is damaged or too large, or an array is missing or of another type
            or shape.
    """
    return read_named(path, inputs, labels, kind)[0]


def read_named(
    path: Path, inputs: str, labels: str, kind: TaskKind = "classification"
) -> tuple[Split, tuple[str, ...] | None]:
    """What `read_npz` reads, and the names of the classes if labels are texts.

    Raises:
        DataError: as `read_npz` does.
    """
    with reading(path, "an .npz archive"), zipfile.ZipFile(path) as archive:
        samples = _channels_first(path, inputs, _read(path, archive, inputs))
        given = _read(path, archive, labels)
    if kind == "regression":
        targets = _targets(path, labels, given, len(samples))
        return Split(_numbers(path, inputs, samples), targets), None
    classes, names = _indices(path, labels, given)
    if len(samples) != len(classes):
        raise DataError(
            f"{path} must hold a label for each input, but has {len(samples)} inputs and {len(classes)} labels"
        )
    return Split(_numbers(path, inputs, samples), torch.from_numpy(classes)), names


def _targets(path: Path, name: str, array: NDArray[Any], count: int) -> Tensor:
    if array.ndim not in (1, 2) or array.dtype.kind not in "fiu" or len(array) != count:
        raise DataError(
            f"{name!r} in {path} must be numbers [N] or [N, K], one for each of {count} inputs, but is {array.dtype} "
            f"{array.shape}"
        )
    with np.errstate(over="ignore", invalid="ignore"):
        return torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32))


def read_signals(
    path: Path, signals: str, labels: str
) -> tuple[NDArray[Any], NDArray[np.int64], tuple[str, ...] | None]:
    """The arrays of signals [N, C, T] and of labels in an archive, and the names of the classes, as
    `read_named` reads them.

    Raises:
        DataError: as `read_npz` does.
    """
    with reading(path, "an .npz archive"), zipfile.ZipFile(path) as archive:
        values = _read(path, archive, signals)
        classes, names = _indices(path, labels, _read(path, archive, labels))
    if values.ndim != 3 or values.dtype.kind not in "fiu" or len(values) != len(classes):
        raise DataError(
            f"{signals!r} in {path} must be numbers [N, C, T], one for each of {len(classes)} labels, "
            f"but is {values.dtype} {values.shape}"
        )
    return values.astype(np.float64), classes, names


def read_division(path: Path, samples: int) -> Division:
    """How an archive says to divide its samples, by arrays [N] of texts or integers named "split" and
    "group".

    Raises:
        DataError: if there is such an array of another type or shape.
    """
    found = dict[str, list[str]]()
    with reading(path, "an .npz archive"), zipfile.ZipFile(path) as archive:
        held = archive.namelist()
        for name in (PART, GROUP):
            if f"{name}.npy" in held:
                array = _read(path, archive, name)
                if array.shape != (samples,) or array.dtype.kind not in "iuU":
                    raise DataError(
                        f"{name!r} in {path} must be texts or integers [{samples}], but is {array.dtype} {array.shape}"
                    )
                found[name] = [str(value) for value in array.tolist()]
    return Division(part=found.get(PART), group=found.get(GROUP))


def raw_kind(path: Path, name: str) -> RawKind:
    """The type of raw values of an array in an archive: bytes, integers of 16 bits, or else floats.

    Raises:
        DataError: if the archive is damaged, or there is no such array.
    """
    with (
        reading(path, "an .npz archive"),
        zipfile.ZipFile(path) as archive,
        archive.open(f"{name}.npy") as file,
    ):
        npy.read_magic(file)
        _, _, dtype = npy.read_array_header_1_0(file)
    kinds: dict[str, RawKind] = {"uint8": "uint8", "int16": "int16"}
    return kinds.get(dtype.name, "float32")


def array_names(path: Path) -> tuple[str, ...]:
    """The names of the arrays in an archive.

    Raises:
        DataError: if it is damaged or missing.
    """
    with reading(path, "an .npz archive"), zipfile.ZipFile(path) as archive:
        return tuple(name.removesuffix(".npy") for name in archive.namelist())


def _indices(
    path: Path, name: str, labels: NDArray[Any]
) -> tuple[NDArray[np.int64], tuple[str, ...] | None]:
    """The class indices [N] of labels, and the names of the classes if these are texts."""
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    elif (
        labels.ndim == 2
        and labels.dtype.kind in "iufb"
        and ((labels != 0).sum(1) == 1).all()
        and (labels.max(1) == 1).all()
    ):
        labels = labels.argmax(1)
    if labels.ndim == 1 and labels.dtype.kind == "U":
        classes, indices = np.unique(labels, return_inverse=True)
        return indices.astype(np.int64), tuple(classes.tolist())
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        raise DataError(
            f"{name!r} in {path} must be integers [N], or texts, but is {labels.dtype} {labels.shape}"
        )
    return labels.astype(np.int64), None


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
