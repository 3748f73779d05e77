"""Reading trained weights, without pickles and without torch."""

import io
import zipfile
from pathlib import Path
from typing import Any

from numpy.lib import format as npy
from numpy.typing import NDArray


def read_weights(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays of a file that `nas.training.checkpoint` wrote, by name.

    Raises:
        ValueError: if it is missing or damaged.
    """
    try:
        if not path.is_file():
            raise ValueError("there is none")
        with zipfile.ZipFile(path) as archive:
            # What was compressed, or is held twice, could be of any size.
            members = [each for each in archive.infolist() if each.compress_type == 0]
            if sum(each.file_size for each in members) > path.stat().st_size:
                raise ValueError("it holds less than it says")
            return {
                member.filename.removesuffix(".npy"): npy.read_array(
                    io.BytesIO(archive.read(member)), allow_pickle=False
                )
                for member in members
            }
    except Exception as error:  # damage can raise anything
        raise ValueError(f"{path} must hold trained weights, but {error}") from error
