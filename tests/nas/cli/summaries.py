"""Run directories with made-up results."""

from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

from nas.objective import Budget, Evaluation, Objective, Status
from nas.runs.journal import open_journal

OK, OVER, FAILED = Status.OK, Status.OVER_BUDGET, Status.FAILED


Result = tuple[Status, Mapping[str, float]]


RUN: list[Result] = [
    (OK, {"accuracy": 0.5, "size_bytes": 1000.0}),
    (OVER, {"size_bytes": 9000.0}),
    (OK, {"accuracy": 0.875, "size_bytes": 3000.0}),
    (FAILED, {}),
    (OK, {"accuracy": 0.4, "size_bytes": 2000.0}),
    (OVER, {"size_bytes": 5000.0}),
]


def write(
    out: Path,
    results: list[Result],
    limit: float = 4000.0,
    design: Mapping[str, Hashable] | None = None,
) -> None:
    objective = Objective(
        maximize=("accuracy",), minimize=("size_bytes",), budget=Budget({"size_bytes": limit})
    )
    with open_journal(out, {"objective": objective.to_json()}) as opened:
        for id, (status, metrics) in enumerate(results):
            made = design or {"op": "conv", "kernel": (3, 3), "width": 8 * id}
            opened.append(
                Evaluation(
                    id=id,
                    genotype=(id,),
                    design=made,
                    status=status,
                    reason="",
                    metrics=metrics,
                    seconds=1.0,
                )
            )


def candidate(id: int, results: list[Result] = RUN) -> dict[str, Any]:
    status, metrics = results[id]
    return {
        "id": id,
        "design": {"op": "conv", "kernel": [3, 3], "width": 8 * id},
        "status": status.value,
        "metrics": dict(metrics),
    }
