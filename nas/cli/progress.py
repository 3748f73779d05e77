"""The progress of a search on the terminal."""

from collections import Counter
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from nas.cli.metrics import format_metrics
from nas.objective import Evaluation, Objective, Status, best
from nas.runs.training_progress import TrainingProgress

LINES_IN_A_LOG = 10


class ProgressLine:
    """A line with the trials done, the best candidate so far, the number over budget, and the time
    left; after the search, with the epochs of each training.

    `trials` and `objective` are those of the search. If `console` is not a terminal, a new line is
    printed every tenth of the trials, and at the start of each training, instead.
    """

    def __init__(self, trials: int, objective: Objective, console: Console) -> None:
        self._trials, self._objective, self._console = trials, objective, console
        columns = (
            MofNCompleteColumn(),
            BarColumn(),
            TextColumn("{task.description}"),
            TimeRemainingColumn(),
        )
        self._progress = Progress(*columns, console=console, disable=not console.is_terminal)
        self._task = self._progress.add_task("", total=trials)
        self._printed = 0

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def update(self, evaluations: Sequence[Evaluation]) -> None:
        """Shows the state of a search after `evaluations`."""
        counts = Counter(evaluation.status for evaluation in evaluations)
        done = sum(evaluation.is_trial for evaluation in evaluations)
        text = f"{self._best(evaluations)}; {counts[Status.OVER_BUDGET]} over budget"
        for status in (Status.FAILED, Status.STOPPED):
            if counts[status]:
                text += f"; {counts[status]} {status.lower()}"
        self._progress.update(self._task, completed=done, description=text)
        step = max(1, self._trials // LINES_IN_A_LOG)
        if not self._console.is_terminal and done >= self._printed + step:
            self._printed = done - done % step
            self._console.print(f"{done}/{self._trials} trials: {text}", highlight=False)

    def train(self, training: TrainingProgress) -> None:
        """Shows the state of a training after the search."""
        text = f"training {training.what}"
        if training.done == 0:
            self._progress.reset(self._task)
            if not self._console.is_terminal:
                self._console.print(f"{text}, {training.epochs} epochs", highlight=False)
        self._progress.update(
            self._task,
            total=training.epochs,
            completed=training.done,
            description=f"epochs of {text}",
        )

    def _best(self, evaluations: Sequence[Evaluation]) -> str:
        leader = best(evaluations, self._objective)
        if leader is None:
            return "no candidate yet"
        names = self._objective.maximize + self._objective.minimize
        return "best " + format_metrics({name: leader.metrics[name] for name in names})
