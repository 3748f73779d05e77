"""What a report tells of a run: all that its directory holds, read once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from nas.objective import Evaluation, Objective, Status, best
from nas.runs.journal import read_journal
from nas.runs.journal_format import Header, curve_metric_of, objective_of
from nas.runs.recommended import Network, recommended
from nas.runs.summary import summary_of


@dataclass(frozen=True)
class ReportedRun:
    """A run: the `index` among those of the report, the `name` that tells it from the others, its
    directory, what `nas.runs.summary` finds, and the journal.
    """

    index: int
    name: str
    out: Path
    found: Mapping[str, Any]
    header: Header
    objective: Objective
    evaluations: Sequence[Evaluation]

    @cached_property
    def best(self) -> Evaluation | None:
        """The best candidate of the search; None if none is within the budget."""
        return best(self.evaluations, self.objective)

    @property
    def quality(self) -> str:
        """The metric of quality by which networks are compared."""
        return str(self.found.get("quality", "accuracy"))

    @property
    def curve_metric(self) -> str:
        """The metric that learning curves have."""
        return curve_metric_of(self.header)

    @cached_property
    def trained(self) -> list[Evaluation]:
        """The candidates with a file and an accuracy, of the highest fidelity among them: others
        cannot be compared.
        """
        done = [each for each in self.evaluations if each.status is Status.OK]
        most = max((each.fidelity for each in done), default=0.0)
        return [each for each in done if each.fidelity == most]

    @cached_property
    def network(self) -> Network | None:
        """The final network, else the best of those that were trained again, else the best of the
        search; None if there is none within the budget.
        """
        return recommended(self.out, self.evaluations, self.objective)

    @property
    def seconds(self) -> float:
        """How long all evaluations took together."""
        return sum(each.seconds for each in self.evaluations)


def read_runs(directories: Sequence[Path]) -> list[ReportedRun]:
    """The runs in these directories, named by the last part of their paths, or the whole where two
    have the same.

    Raises:
        RunDirectoryError: if a directory holds no run, or a damaged one.
    """
    lasts = [path.resolve().name for path in directories]
    runs = []
    for index, (path, last) in enumerate(zip(directories, lasts, strict=True)):
        header, evaluations = read_journal(path)
        found = summary_of(path, header, evaluations)
        name = last if lasts.count(last) == 1 else str(path)
        objective = objective_of(header)
        runs.append(ReportedRun(index, name, path, found, header, objective, evaluations))
    return runs
