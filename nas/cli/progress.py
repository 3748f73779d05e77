"""The progress of a search on the terminal."""

import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Column
from rich.text import Text

from nas.cli.metrics import format_metrics
from nas.objective import Evaluation, Objective, Status
from nas.runs.epoch_notes import EpochNotes
from nas.runs.training_progress import TrainingProgress
from nas.standing import Standing

LINES_IN_A_LOG = 10
REFRESH_SECONDS = 0.5
SHORTEST_BAR = 8


class ProgressLine:
    """A line with the trials done, the best candidate so far, the number over budget, the epochs of the
    candidates in training, and the time left; after the search, with the epochs of each training.

    `trials` and `objective` are those of the search, and `notes` tell the epochs. If `console` is not a
    terminal, a new line is printed every tenth of the trials, and at the start of each training, instead. If
    `each`, one is printed for every candidate of this call too.
    """

    def __init__(
        self,
        trials: int,
        objective: Objective,
        console: Console,
        notes: EpochNotes | None = None,
        each: bool = False,
    ) -> None:
        self._trials, self._objective, self._console = trials, objective, console
        self._standing, self._each = Standing(objective), each
        columns = (
            MofNCompleteColumn(table_column=Column(no_wrap=True)),
            BarColumn(SHORTEST_BAR),
            TextColumn("{task.description}", table_column=Column(overflow="fold")),
            *([] if notes is None else [_EpochsColumn(notes, self._standing)]),
            TimeRemainingColumn(table_column=Column(no_wrap=True)),
        )
        self._progress = Progress(*columns, console=console, disable=not console.is_terminal)
        self._task = self._progress.add_task("", total=trials)
        self._printed, self._told = 0, 0
        self._began = time.time()

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
        self._standing.update(evaluations)
        if self._each:
            self._tell(evaluations[self._told :])
            self._told = len(evaluations)
        counts, done = self._standing.counts, self._standing.trials
        text = f"{self._best()}; {counts[Status.OVER_BUDGET]} over budget"
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

    def _tell(self, evaluations: Sequence[Evaluation]) -> None:
        """Prints a line for each that was not in the journal before."""
        for each in evaluations:
            if each.finished is not None and each.finished >= self._began:
                facts = each.reason or format_metrics(self._wanted(each.metrics))
                line = f"number {each.id}: {each.status.value}, {facts}, {each.seconds:.1f} seconds"
                # As Text, because rich would take names in brackets for markup.
                self._console.print(Text(line), soft_wrap=True)

    def _best(self) -> str:
        leader = self._standing.best
        if leader is None:
            return "no candidate yet"
        return "best " + format_metrics(self._wanted(leader.metrics))

    def _wanted(self, metrics: Mapping[str, float]) -> dict[str, float]:
        names = self._objective.maximize + self._objective.minimize
        return {name: metrics[name] for name in names if name in metrics}


class _EpochsColumn(ProgressColumn):
    """The epochs of the candidates in training."""

    max_refresh = REFRESH_SECONDS

    def __init__(self, notes: EpochNotes, standing: Standing) -> None:
        super().__init__(Column(overflow="fold"))
        self._notes, self._standing = notes, standing

    def render(self, task: Task) -> Text:  # noqa: ARG002 - notes tell all
        done = sum(self._standing.counts.values())
        # A worker that was killed could not remove its note.
        epochs = [f"{n}/{planned}" for id, (n, planned) in self._notes.read().items() if id >= done]
        return Text(f"epochs {' '.join(epochs)}" if epochs else "")
