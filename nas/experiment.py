"""An experiment: everything that a search needs."""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from types import FunctionType
from typing import Any

from torch import nn

from nas.compress import Compressor
from nas.data import Task
from nas.measure import COSTS, Device, LatencyTable
from nas.objective import Objective
from nas.space import Choices, SearchSpace
from nas.strategy import StrategyFactory
from nas.training.checkpoint import digest
from nas.training.distil import Teacher
from nas.training.recipe import Recipe
from nas.training.stopping import StoppingRule


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """What to search for, where, how and on which data. Equal experiments give equal results.

    `strategy` makes the strategy from the choices and a generator; `window` is how many proposals
    it makes before it must know the result of the first; `patience` ends a search after that many
    proposals in a row that train nothing. `stop` gives up candidates in training: each is shown the
    curves of all ids up to its own minus `window`.

    Raises:
        ValueError: if `trials`, `window` or `patience` is below 1, the seed below 0, or the
            objective names a metric that is not measured.
    """

    space: SearchSpace
    compressors: tuple[Compressor, ...]
    task: Task
    recipe: Recipe
    objective: Objective
    strategy: StrategyFactory
    trials: int
    seed: int
    teacher: Teacher | None = None
    device: Device | None = None
    window: int = 1
    patience: int = 1000
    stop: StoppingRule | None = None

    def __post_init__(self) -> None:
        for name in ("trials", "window", "patience"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, but got {getattr(self, name)}")
        if self.seed < 0:
            raise ValueError(f"seed must be 0 or more, but got {self.seed}")
        measured = (
            COSTS
            if self.device is not None
            else tuple(name for name in COSTS if name != "latency_ms")
        )
        for what, names, known in (
            ("maximize", self.objective.maximize, ("accuracy",)),
            ("minimize", self.objective.minimize, measured),
            ("limit", tuple(self.objective.budget.limits), measured),
            (
                "aim at a cost of",
                () if self.objective.soft_target is None else (self.objective.soft_target.cost,),
                measured,
            ),
        ):
            if unknown := [name for name in names if name not in known]:
                hint = "; latency_ms needs a device" if "latency_ms" in unknown else ""
                raise ValueError(f"an objective can {what} {known}, but got {unknown}{hint}")

    def describe(self) -> dict[str, Any]:
        """What makes two runs the same run, as JSON: all but how long it searches."""
        return {
            "space": {**_describe(self.space), "choices": self.space.choices.digest},
            "compressors": [_describe(compressor) for compressor in self.compressors],
            "task": {"name": self.task.name, "digest": self.task.digest},
            "recipe": asdict(self.recipe),
            "objective": self.objective.to_json(),
            "strategy": _describe(self.strategy),
            "teacher": _describe(self.teacher),
            "device": _describe(self.device),
            "seed": self.seed,
            "window": self.window,
            "stop": _describe(self.stop),
        }


def _describe(part: Any) -> Any:
    """A part of an experiment as JSON: names and values, never an address in memory."""
    if part is None or isinstance(part, (str, int, float, bool)):
        return part
    if isinstance(part, (Choices, LatencyTable)):
        return part.digest
    if isinstance(part, nn.Module):
        return digest(part, repr(part))  # its layers and their weights
    if isinstance(part, Path):
        return hashlib.sha256(part.read_bytes()).hexdigest()[
            :16
        ]  # what a file holds, wherever it lies
    if isinstance(part, (list, tuple)):
        return [_describe(item) for item in part]
    if isinstance(part, Mapping):
        return {str(name): _describe(value) for name, value in part.items()}
    if isinstance(part, partial):
        return {
            "name": _describe(part.func),
            **{name: _describe(value) for name, value in part.keywords.items()},
        }
    if isinstance(part, (type, FunctionType)):
        return part.__qualname__
    settings = {
        name: _describe(value)
        for name, value in getattr(part, "__dict__", {}).items()
        if not name.startswith("_")
    }
    return {"name": type(part).__qualname__, **settings}
