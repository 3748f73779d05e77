"""Data files are not trusted: what is wrong with one is said with its path, and none can exhaust
the memory.
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

MOST_BYTES = 4 * 2**30

# What gzip, zipfile, NumPy's header parser and Pillow raise when they are given other bytes than
# they expect.
_UNREADABLE = (
    OSError,
    EOFError,
    ValueError,
    TypeError,
    IndexError,
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
    """Data that is not what it must be; the message names the path."""


@contextmanager
def reading(path: Path, kind: str) -> Iterator[None]:
    """Says which file it was, and what it must be, when reading it fails.

    Raises:
        DataError: if `path` is no file, or the body raises what a reader raises on damaged bytes.
    """
    try:
        # A pipe would be waited for, and a device never ends.
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
    """Refuses an array before any memory is taken for it.

    Raises:
        DataError: if it is empty, or needs more than `MOST_BYTES` as it is stored or as float32.
    """
    if not 0 < math.prod(shape) * max(4, value_bytes) <= MOST_BYTES:
        raise DataError(
            f"{path} must hold at least one value and at most {MOST_BYTES} bytes as float32, but has shape {tuple(shape)}"
        )


def scaled(pixels: NDArray[np.uint8]) -> Tensor:
    """Bytes 0 to 255 as float32 0 to 1."""
    return torch.from_numpy(np.ascontiguousarray(pixels)).to(torch.float32).div_(255)
