"""How long the file of a candidate was predicted to be, and how long it became."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class FileLength:
    """The length of the packed file of a candidate that was trained from scratch, in bytes:
    `predicted` before it was trained, and `found` after, before any repair.

    `parts` are the natural logarithms of found over first expected bytes of each part of the file,
    from which later predictions learn (`nas.evaluation.coded_size`).
    """

    predicted: float
    found: int
    parts: Mapping[str, float]

    @property
    def error(self) -> float:
        """The natural logarithm of found over predicted bytes."""
        return math.log(self.found / self.predicted)


def rms_error(lengths: Iterable[FileLength]) -> float:
    """The root of the mean square of the errors, about the standard deviation of length over
    prediction; NaN without files.
    """
    squares = [length.error**2 for length in lengths]
    return math.sqrt(math.fsum(squares) / len(squares)) if squares else math.nan
