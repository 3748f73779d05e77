"""NNI's `search_space.json` as a search space."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas import grids
from nas.space.choice import Choice
from nas.space.choices import Choices
from nas.space.condition import Condition
from nas.space.design import Design

if TYPE_CHECKING:
    from torch import Tensor, nn

MOST_OPTIONS = 1000
_NAME, _TYPE, _VALUE = "_name", "_type", "_value"


@dataclass(frozen=True)
class NniSpace:
    """The choices of a search space file of NNI, and a function that builds a network from parameters
    as NNI gives them to a trial.

    Args:
        choices: those of the file
        nested: the options that have parameters of their own, such as "layer.Conv"
        function: from the parameters, an example [N, …] and the number of classes to a network
    """

    choices: Choices
    nested: frozenset[str]
    function: Callable[[Mapping[str, Any], Tensor, int], nn.Module]

    def build(self, design: Design, example: Tensor, classes: int) -> nn.Module:
        """What the function makes of the parameters of the design."""
        return self.function(parameters(design, self.nested), example, classes)


def from_nni(
    path: Path | str,
    function: Callable[[Mapping[str, Any], Tensor, int], nn.Module],
    points: int = 8,
) -> NniSpace:
    """The space of a `search_space.json` of NNI (Microsoft, 2017 to 2023).

    A parameter is a choice of its name. An option of `choice` with parameters of its own goes by its
    `_name`, and these are active where it is chosen: `kernel` of the option "Conv" of "layer" is the
    choice "layer.Conv.kernel". Names may be those of compressors, such as "conv1.bits".

    The types are `choice`, `randint` (from the first to below the second number), `quniform` and
    `qloguniform` (all values that they can have, which the strategy weighs alike), and `uniform` and
    `loguniform` (so many `points` of `nas.grids`, both ends among them).

    Raises:
        ValueError: if the file is no search space, or a parameter has another type, such as a normal
            distribution, whose values have no ends, or more than 1,000 options.
    """
    try:
        entries = json.loads(Path(path).read_text())
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} must be a search space of NNI in JSON, but: {error}") from error
    try:
        nested = set[str]()
        choices = Choices(_choices(entries, "", None, points, nested))
        return NniSpace(choices, frozenset(nested), function)
    except ValueError as error:
        raise ValueError(f"{path} must be a search space of NNI, but {error}") from error


def parameters(design: Mapping[str, Hashable], nested: Collection[str] = ()) -> dict[str, Any]:
    """The parameters of a design as NNI gives them: an option that is `nested`, such as "layer.Conv",
    is a dictionary of its `_name` and its own parameters.

    >>> parameters({"layer": "Conv", "layer.Conv.kernel": 3, "lr": 0.1}, {"layer.Conv"})
    {'layer': {'_name': 'Conv', 'kernel': 3}, 'lr': 0.1}
    """
    found: dict[str, Any] = {}
    places: dict[str, dict[str, Any]] = {}
    for name, option in design.items():
        inside, _, own = name.rpartition(".")
        place, key = (places[inside], own) if inside in places else (found, name)
        place[key] = option
        if (option_name := f"{name}.{option}") in nested:
            place[key] = places[option_name] = {_NAME: option}
    return found


def _choices(
    entries: object, site: str, when: Condition | None, points: int, nested: set[str]
) -> Iterator[Choice]:
    """The choices of some entries; `nested` gets the options that have parameters of their own."""
    if not isinstance(entries, dict):
        raise ValueError(f"parameters must be an object, but {site or 'the file'} has {entries!r}")
    for key, entry in entries.items():
        if key == _NAME and site:
            continue
        name = f"{site}.{key}" if site else key
        if not isinstance(entry, dict) or not {_TYPE, _VALUE} <= entry.keys():
            raise ValueError(f"{name!r} must have {_TYPE!r} and {_VALUE!r}, and is {entry!r}")
        inside, _, kind = name.rpartition(".")
        if entry[_TYPE] == "choice":
            values = entry[_VALUE]
            if not isinstance(values, list):
                raise ValueError(f"the {_VALUE} of {name!r} must be a list, and is {values!r}")
            inner = [value for value in values if isinstance(value, dict)]
            if unnamed := [value for value in inner if not isinstance(value.get(_NAME), str)]:
                raise ValueError(
                    f"an option of {name!r} must have a {_NAME!r}, and is {unnamed[0]}"
                )
            options = tuple(v[_NAME] if isinstance(v, dict) else v for v in values)
            yield Choice(inside, kind, options, when)
            for value in inner:
                below = f"{name}.{value[_NAME]}"
                nested.add(below)
                yield from _choices(value, below, (name, frozenset({value[_NAME]})), points, nested)
        else:
            yield Choice(inside, kind, _grid(name, entry[_TYPE], entry[_VALUE], points), when)


def _grid(name: str, kind: object, values: object, points: int) -> tuple[Hashable, ...]:
    counts = {"randint": 2, "uniform": 2, "loguniform": 2, "quniform": 3, "qloguniform": 3}
    if not isinstance(kind, str) or kind not in counts:
        raise ValueError(
            f"the type of {name!r} must be one of {('choice', *counts)}, and is {kind!r}"
        )
    if (
        not isinstance(values, list)
        or len(values) != counts[kind]
        or not all(isinstance(v, (int, float)) and math.isfinite(v) for v in values)
    ):
        raise ValueError(
            f"{name!r} must have {counts[kind]} numbers for {kind}, and has {values!r}"
        )
    if kind == "uniform":
        return grids.uniform(values[0], values[1], points)
    if kind == "loguniform":
        return grids.log_uniform(values[0], values[1], points)
    if kind == "randint":
        _check_count(name, values[1] - values[0])
        return grids.integers(int(values[0]), int(values[1]) - 1)
    return _rounded(name, values)


def _rounded(name: str, values: Sequence[float]) -> tuple[Hashable, ...]:
    """The multiples of a step between two ends, which take the place of what is beyond them."""
    low, high, step = values
    if not (step > 0 and low <= high):
        raise ValueError(f"{name!r} must have low <= high and a step above 0, and has {values}")
    first, last = round(low / step), round(high / step)
    _check_count(name, last - first + 1)
    multiples = (round(number * step, 12) for number in range(first, last + 1))
    return tuple(dict.fromkeys(float(min(max(each, low), high)) for each in multiples))


def _check_count(name: str, count: float) -> None:
    if not 0 < count <= MOST_OPTIONS:
        raise ValueError(f"{name!r} must have 1 to {MOST_OPTIONS} options, and has {count:g}")
