"""Why candidates of a run have no file, counted."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from nas.objective import Evaluation, Status

_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")


@dataclass(frozen=True)
class Reason:
    """A reason that `count` candidates of a status have in common but for its numbers; `text` and `id`
    are those of the first of them.
    """

    status: Status
    text: str
    id: int
    count: int


def reasons(evaluations: Sequence[Evaluation]) -> list[Reason]:
    """The reasons of FAILED candidates, and of those that were over budget once they were trained, the
    most frequent first.
    """
    found = dict[tuple[Status, str], list[Evaluation]]()
    for evaluation in evaluations:
        trained_in_vain = evaluation.status is Status.OVER_BUDGET and evaluation.is_trial
        if evaluation.reason and (evaluation.status is Status.FAILED or trained_in_vain):
            alike = _NUMBER.sub("0", evaluation.reason)
            found.setdefault((evaluation.status, alike), []).append(evaluation)
    counted = [
        Reason(status, alike[0].reason, alike[0].id, len(alike))
        for (status, _), alike in found.items()
    ]
    return sorted(counted, key=lambda reason: -reason.count)
