"""The network that a run recommends."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nas.objective import Evaluation, Objective, Status, best
from nas.runs.directory import FINAL_FOLDER, RETRAINED_FOLDER
from nas.runs.final import read_final
from nas.runs.finalists import chosen, read_retrained


@dataclass(frozen=True)
class Network:
    """The network that a run recommends: a phrase for how it came about, its evaluation, and the
    folder with its files.
    """

    what: str
    evaluation: Evaluation
    folder: Path


def recommended(
    out: Path, evaluations: Sequence[Evaluation], objective: Objective
) -> Network | None:
    """The final network of the run in `out`, else the best of those that were trained again, else the
    best of the search, `evaluations`; None if there is none within the budget.

    Raises:
        RunDirectoryError: if a file in `out` is damaged.
    """
    final = read_final(out)
    if final is not None and final.status is Status.OK:
        what = f"the final network, number {final.id} trained on training and validation samples"
        return Network(what, final, out / FINAL_FOLDER)
    choice = chosen(read_retrained(out), objective)
    if choice is not None:
        what = f"number {choice.id}, the best when trained again"
        return Network(what, choice, out / RETRAINED_FOLDER)
    leader = best(evaluations, objective)
    if leader is not None:
        return Network(f"number {leader.id}, the best of the search", leader, out)
    return None
