"""Run directories with made-up searches."""

from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from nas.lowering import lower
from nas.objective import Budget, Epoch, Evaluation, Objective, Status
from nas.packed import pack
from nas.runs.directory import packed_path
from nas.runs.journal import open_journal

OBJECTIVE = Objective(
    maximize=("accuracy",), minimize=("size_bytes",), budget=Budget({"size_bytes": 4000.0})
)
HOSTILE = "</script><script>alert(1)</script>&\"'"


def trial(
    id: int,
    status: Status = Status.OK,
    accuracy: float = 0.5,
    size: float = 1000.0,
    design: Mapping[str, Hashable] | None = None,
    reason: str = "",
    epochs: float | None = None,
) -> Evaluation:
    trained = {"accuracy": accuracy, "size_bytes": size, "params": 100.0}
    metrics = {Status.OK: trained, Status.FAILED: {}}.get(status, {"size_bytes": size})
    return Evaluation(
        id=id,
        genotype=(id,),
        design={"head.bits": 2 + id % 3, "op": "conv"} if design is None else design,
        status=status,
        reason=reason,
        metrics=metrics,
        seconds=1.0 + id % 5,
        epochs=epochs,
        history=(Epoch(1.0, 0.25), Epoch(0.5, accuracy)) if status is Status.OK else (),
    )


def search(count: int) -> list[Evaluation]:
    """Trained candidates, with one in five over the budget and one in seven failed."""
    return [
        trial(id, Status.FAILED, reason=f"ValueError: {id} rows <b>")
        if id % 7 == 6
        else trial(id, Status.OVER_BUDGET, size=5000.0 + id, reason="size_bytes")
        if id % 5 == 4
        else trial(id, accuracy=(id * 37 % 101) / 101, size=500.0 + 10 * (id * 53 % 97))
        for id in range(count)
    ]


def write(
    out: Path,
    evaluations: Sequence[Evaluation],
    objective: Objective = OBJECTIVE,
    **settings: Any,
) -> Path:
    recipe = {"epochs": 1, "finetune_epochs": 1}
    experiment = {"objective": objective.to_json(), "recipe": recipe, "seed": 3, **settings}
    with open_journal(out, experiment) as journal:
        for each in evaluations:
            journal.append(each)
    return out


def add_file(out: Path, id: int) -> bytes:
    """Packs a small network as the file of a candidate."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 3, 3, stride=2), nn.ReLU(), nn.Flatten(), nn.Linear(12, 2))
    packed = pack(lower(model, torch.rand(8, 1, 5, 5)))
    packed_path(out, id).parent.mkdir(exist_ok=True)
    packed_path(out, id).write_bytes(packed)
    return packed
