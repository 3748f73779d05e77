"""Reading data files that are not trusted: errors name the file, and no file can exhaust the
memory.
"""

import math
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from nas.preprocessing import Preprocessing

PIXELS = Preprocessing("uint8")
"""How readers of images turn bytes into numbers."""
MOST_BYTES = 4 * 2**30

# What gzip, zipfile, NumPy's header parser and Pillow raise on unexpected bytes.
_UNREADABLE = (
    OSError,
    EOFError,
    ValueError,
    TypeError,
    IndexError,
    KeyError,
    RuntimeError,
    MemoryError,
    SyntaxError,
    tokenize.TokenError,
    struct.error,
    zlib.error,
    zipfile.BadZipFile,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,
)


class DataError(ValueError):
    """A data file or folder that cannot be used; the message has its path and the reason."""


@contextmanager
def reading(path: Path, kind: str) -> Iterator[None]:
    """Turns errors of readers into a DataError with the path and what it must be, `kind`.

    Raises:
        DataError: if `path` is not a file, or the body raises what readers raise on damaged bytes.
    """
    try:
        # Reading a pipe would block, and a device might never end.
        if not path.is_file():
            raise DataError(
                f"{path} must be {kind}, but it is {'not a file' if path.exists() else 'missing'}"
            )
        yield
    except DataError:
        raise
    except _UNREADABLE as error:
        raise DataError(f"{path} must be {kind}, but it cannot be read: {error}") from error


def check_size(path: Path, shape: Sequence[int], value_bytes: int = 1) -> None:
    """Checks the shape of an array before memory is allocated for it.

    Raises:
        DataError: if the array is empty, or larger than `MOST_BYTES` as it is stored or as float32.
    """
    if not 0 < math.prod(shape) * max(4, value_bytes) <= MOST_BYTES:
        raise DataError(
            f"{path} must hold at least one value and at most {MOST_BYTES} bytes as float32, but has shape {tuple(shape)}"
        )


def scaled(pixels: NDArray[np.uint8]) -> Tensor:
    """Bytes, 0 to 255, as float32 in [0, 1], as by `PIXELS`."""
    return torch.from_numpy(np.ascontiguousarray(pixels)).to(torch.float32).div_(255)
