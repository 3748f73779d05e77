"""A search to log, and readers of its TensorBoard logs."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from nas.board.log import TensorBoardLog
from nas.objective import Budget, Epoch, Evaluation, Fitness, Objective, Status
from nas.space import Choice, Choices
from nas.strategy import Proposal, Strategy

OK, OVER, FAILED = Status.OK, Status.OVER_BUDGET, Status.FAILED


OBJECTIVE = Objective(
    maximize=("accuracy",), minimize=("size_bytes",), budget=Budget({"size_bytes": 4000.0})
)


RESULTS: list[tuple[Status, Mapping[str, float]]] = [
    (OK, {"accuracy": 0.5, "size_bytes": 1000.0}),
    (OVER, {"size_bytes": 9000.0}),
    (OK, {"accuracy": 0.25, "size_bytes": 2000.0}),
    (FAILED, {}),
    (OK, {"accuracy": 0.75, "size_bytes": 3000.0}),
    (OVER, {"size_bytes": 5000.0}),
]


CHOICES = Choices(
    [
        Choice("", "op", ("conv", "skip")),
        Choice("", "width", tuple(range(0, 48, 8)), ("op", frozenset({"conv"}))),
        Choice("", "prune", (0.0, 0.5)),
        Choice("", "bias", (False, True)),
        Choice("", "rank", (None,)),
        Choice("", "kernel", ((3, 3),)),
        Choice("", "dilation", (1, 2), ("op", frozenset({"skip"}))),
    ]
)


RUN = [
    Evaluation(
        id=id,
        genotype=(id,),
        design={
            "op": "conv",
            "width": 8 * id,
            "prune": 0.5,
            "bias": True,
            "rank": None,
            "kernel": (3, 3),
        },
        status=status,
        reason="",
        metrics=metrics,
        seconds=10.25 * (id + 1),
        history=(Epoch(2.0, 0.125), Epoch(1.0 / (id + 1), 0.25)) if status is OK else (),
    )
    for id, (status, metrics) in enumerate(RESULTS)
]


class Plain:
    def ask(self) -> Proposal:
        raise NotImplementedError

    def tell(self, proposal: Proposal, fitness: Fitness) -> None:
        raise NotImplementedError


class Controller(Plain):
    """A strategy whose entropy falls each time it is reported."""

    def __init__(self) -> None:
        self.entropy = 2.0

    def report(self) -> Mapping[str, float]:
        self.entropy -= 0.25
        return {"entropy": self.entropy, "baseline": 0.5}


def log(
    folder: Path,
    run: Sequence[Evaluation] = RUN,
    objective: Objective = OBJECTIVE,
    strategy: Strategy | None = None,
) -> None:
    with TensorBoardLog(folder, CHOICES) as board:
        for count in range(1, len(run) + 1):
            board.add(run[:count], objective, strategy or Plain())
        board.finish(run, objective)


def events(folder: Path) -> Any:
    """What TensorBoard itself reads from a folder of one event file."""
    assert len(list(folder.iterdir())) == 1
    return EventAccumulator(str(folder)).Reload()


def curves(folder: Path) -> dict[str, list[tuple[int, float]]]:
    read = events(folder)
    return {
        tag: [(event.step, event.value) for event in read.Scalars(tag)]
        for tag in read.Tags()["scalars"]
    }
