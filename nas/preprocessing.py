"""How raw values become the numbers that a network reads."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

RawKind = Literal["uint8", "int16", "float32"]
"""Pixels, samples of sound, or measurements."""
RAW_KINDS: tuple[RawKind, ...] = get_args(RawKind)
USUAL_DEVIATION: Mapping[RawKind, float] = {"uint8": 255.0, "int16": 32768.0, "float32": 1.0}
"""What values are divided by where nothing else is said: bytes come to lie in 0 … 1, samples of sound in
-1 … 1.
"""


@dataclass(frozen=True)
class Preprocessing:
    """A raw value x becomes (x - mean) / deviation, clipped to -limit … limit.

    `raw` is the type of raw values. `mean` and `deviation`, in the unit of raw values, have one entry
    for all, or one for each channel of an image or a signal, or each feature of a table; without a
    `deviation` it is 255 for bytes, 32,768 for samples of sound, and 1 for floats. `limit` is in
    deviations (None: nothing is clipped). All are rounded to 32-bit floats, as files hold them, and
    entries that are all equal become one. Of floats, NaN is missing and becomes 0, the mean.

    Raises:
        ValueError: if there is no such type, an entry is not finite, a deviation or the limit is not above 0, or
            there are several means and another number of deviations.
    """

    raw: RawKind
    mean: tuple[float, ...] = (0.0,)
    deviation: tuple[float, ...] = ()
    limit: float | None = None

    def __post_init__(self) -> None:
        if self.raw not in RAW_KINDS:
            raise ValueError(f"raw values must be one of {[*RAW_KINDS]}, but got {self.raw!r}")
        mean = _rounded(self.mean)
        deviation = _rounded(self.deviation or (USUAL_DEVIATION[self.raw],))
        limit = None if self.limit is None else _rounded((self.limit,))[0]
        for name, values, least in (
            ("a mean", mean, -inf),
            ("a deviation", deviation, 0.0),
            ("a limit", () if limit is None else (limit,), 0.0),
        ):
            if wrong := [value for value in values if not least < value < inf]:
                above = "" if least < 0 else " and above 0"
                raise ValueError(f"{name} must be finite{above}, but is {wrong[0]}")
        count = max(len(mean), len(deviation))
        if not {len(mean), len(deviation)} <= {1, count} or not mean:
            raise ValueError(
                "there must be one mean and one deviation for all, or one for each channel, "
                f"but got {len(mean)} and {len(deviation)}"
            )
        one = len(set(mean)) == len(set(deviation)) == 1
        object.__setattr__(self, "mean", mean[:1] if one else mean * (count // len(mean)))
        object.__setattr__(
            self, "deviation", deviation[:1] if one else deviation * (count // len(deviation))
        )
        object.__setattr__(self, "limit", limit)

    @property
    def channels(self) -> int | None:
        """How many channels or features it is for; None if for any number."""
        return None if len(self.mean) == 1 else len(self.mean)

    def check(self, shape: tuple[int, ...]) -> None:
        """Checks that it is for samples of a `shape`, [F], [C, L] or [C, H, W].

        Raises:
            ValueError: if it has means for another number of channels.
        """
        if self.channels not in (None, shape[0]):
            raise ValueError(
                f"preprocessing must have one mean or one for each of {shape[0]} channels or features, but has {self.channels}"
            )

    def apply(self, raw: NDArray[Any]) -> NDArray[np.float32]:
        """What a network reads, for raw values [N, F], [N, C, L] or [N, C, H, W].

        Raises:
            ValueError: if they have another number of channels.
        """
        self.check(raw.shape[1:])
        each = -1, *[1] * (raw.ndim - 2)
        mean, deviation = (np.array(v).reshape(each) for v in (self.mean, self.deviation))
        found = np.nan_to_num((raw.astype(np.float64) - mean) / deviation, nan=0.0)
        if self.limit is not None:
            found = found.clip(-self.limit, self.limit)
        prepared: NDArray[np.float32] = found.astype(np.float32)
        return prepared

    def undo(self, prepared: NDArray[np.float32]) -> NDArray[np.float64]:
        """The raw values that became `prepared`, as far as nothing was clipped; integers are exact.

        Raises:
            ValueError: if they have another number of channels.
        """
        self.check(prepared.shape[1:])
        each = -1, *[1] * (prepared.ndim - 2)
        mean, deviation = (np.array(v).reshape(each) for v in (self.mean, self.deviation))
        found: NDArray[np.float64] = prepared.astype(np.float64) * deviation + mean
        return found if self.raw == "float32" else found.round()

    def to_json(self) -> str:
        """A JSON object with the names of the fields; a `limit` only if there is one."""
        limit = {} if self.limit is None else {"limit": self.limit}
        return json.dumps(
            {"raw": self.raw, "mean": [*self.mean], "deviation": [*self.deviation], **limit}
        )


def from_json(text: str | bytes) -> Preprocessing:
    """What `Preprocessing.to_json` wrote.

    Raises:
        ValueError: if it is something else.
    """
    try:
        stored = json.loads(text)
        mean, deviation = (tuple(map(float, stored.pop(name))) for name in ("mean", "deviation"))
        return Preprocessing(mean=mean, deviation=deviation, **stored)
    except (AttributeError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(
            f"preprocessing must be a JSON object of its fields, but {error}"
        ) from error


def _rounded(values: tuple[float, ...]) -> tuple[float, ...]:
    with np.errstate(over="ignore"):
        return tuple(np.array(values, np.float32).astype(float).tolist())
