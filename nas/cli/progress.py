"""One line that says how far a search has come."""

from collections.abc import Sequence
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from nas.cli.show import format_metrics
from nas.objective import Evaluation, Objective, Status, best

LINES_WITHOUT_TERMINAL = 10


class ProgressLine:
    """Trials done, the best so far, how many were over budget, and the time left; in a log, a line
    every few trials.
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
        self._told = 0

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
        """Shows the state after the last of `evaluations`."""
        over = sum(evaluation.status is Status.OVER_BUDGET for evaluation in evaluations)
        failed = sum(evaluation.status is Status.FAILED for evaluation in evaluations)
        stopped = sum(evaluation.status is Status.STOPPED for evaluation in evaluations)
        done = len(evaluations) - over
        leader = best(evaluations, self._objective)
        wanted = self._objective.maximize + self._objective.minimize
        text = (
            "no candidate yet"
            if leader is None
            else "best " + format_metrics({name: leader.metrics[name] for name in wanted})
        )
        text += (
            f"; {over} over budget"
            + (f"; {failed} failed" if failed else "")
            + (f"; {stopped} stopped" if stopped else "")
        )
        self._progress.update(self._task, completed=done, description=text)
        step = max(1, self._trials // LINES_WITHOUT_TERMINAL)
        if not self._console.is_terminal and done >= self._told + step:
            self._told = done - done % step
            self._console.print(f"{done}/{self._trials} trials: {text}", highlight=False)
