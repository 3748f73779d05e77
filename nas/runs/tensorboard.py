"""TensorBoard logs of a search: its curves, its Pareto front, and every trained candidate."""

import logging
import shutil
from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from torch.utils.tensorboard import SummaryWriter
from torch.utils.tensorboard.summary import hparams

from nas.file_length import rms_error
from nas.objective import Evaluation, Objective, Status, best, hypervolume, pareto_front
from nas.space import Choices
from nas.strategy import Reporting, Strategy


class TensorBoardLog:
    """Logs a search below `folder`: its curves to `search`, each trained candidate to
    `trials/NNNNN`. `choices` are those of its space.

    A resumed search passes through all earlier evaluations again, so the logs are written anew. If
    they cannot be written, a warning is logged and no more is written: a search must not end
    because of its logs.
    """

    def __init__(self, folder: Path, choices: Choices) -> None:
        self._folder = folder
        # TensorBoard takes the columns of its table from one trial, so each must name also the
        # choices that are not active in its design.
        # A column that mixes numbers with others is of texts, because cells of two types can be
        # neither sorted nor filtered.
        self._texts = {choice.name for choice in choices if not _are_numbers(choice.options)}
        self._columns = self._cells({choice.name: choice.options[0] for choice in choices})
        self._writer: SummaryWriter | None = None
        self._trials = 0
        self._seconds = 0.0
        with self._no_more_after_errors():
            if folder.exists():
                shutil.rmtree(folder)
            self._writer = SummaryWriter(str(folder / "search"))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._no_more_after_errors():
            if self._writer is not None:
                self._writer.close()

    @contextmanager
    def _no_more_after_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            logging.getLogger(__name__).warning(
                "no more TensorBoard logs in %s, because of %s", self._folder, error
            )
            broken, self._writer = self._writer, None
            if broken is not None:
                with suppress(OSError):
                    broken.close()

    def add(
        self, evaluations: Sequence[Evaluation], objective: Objective, strategy: Strategy
    ) -> None:
        """Logs the last of `evaluations`, and the statistics of a `Reporting` strategy."""
        with self._no_more_after_errors():
            if self._writer is not None:
                self._add(self._writer, evaluations, objective, strategy)

    def _add(
        self,
        writer: SummaryWriter,
        evaluations: Sequence[Evaluation],
        objective: Objective,
        strategy: Strategy,
    ) -> None:
        latest = evaluations[-1]
        self._seconds += latest.seconds
        over = sum(evaluation.status is Status.OVER_BUDGET for evaluation in evaluations)
        writer.add_scalar("search/over_budget_share", over / len(evaluations), len(evaluations))
        if latest.status is Status.OVER_BUDGET:
            return
        self._trials += 1
        if isinstance(strategy, Reporting):
            for name, value in strategy.report().items():
                writer.add_scalar(f"strategy/{name}", value, self._trials)
        if latest.status is Status.OK:
            self._add_curves(writer, latest, evaluations, objective)
            self._add_trial(latest)

    def _add_curves(
        self,
        writer: SummaryWriter,
        latest: Evaluation,
        evaluations: Sequence[Evaluation],
        objective: Objective,
    ) -> None:
        for name, value in latest.metrics.items():
            writer.add_scalar(f"candidate/{name}", value, self._trials)
        leader = best(evaluations, objective)
        if leader is not None:
            for name, value in leader.metrics.items():
                writer.add_scalar(f"best/{name}", value, self._trials)
            name = objective.maximize[0] if objective.maximize else objective.minimize[0]
            writer.add_scalar(f"best_by_second/{name}", leader.metrics[name], round(self._seconds))
        lengths = [each.file_length for each in evaluations if each.file_length is not None]
        if lengths:
            writer.add_scalar("search/size_error", rms_error(lengths), self._trials)
        writer.add_scalar("search/hypervolume", hypervolume(evaluations, objective), self._trials)

    def _add_trial(self, evaluation: Evaluation) -> None:
        # An event file for each trial, because TensorBoard's table of hyperparameters has a row for
        # each file.
        with SummaryWriter(str(self._folder / "trials" / f"{evaluation.id:05d}")) as writer:
            for number, epoch in enumerate(evaluation.history, 1):
                writer.add_scalar("epoch/loss", epoch.loss, number)
                if epoch.accuracy is not None:
                    writer.add_scalar("epoch/accuracy", epoch.accuracy, number)
            metrics = {f"metric/{name}": value for name, value in evaluation.metrics.items()}
            for name, value in metrics.items():
                writer.add_scalar(name, value, 0)
            table, _, _ = hparams(self._columns, metrics)  # type: ignore[no-untyped-call]
            _, start, end = hparams(self._cells(evaluation.design), metrics)  # type: ignore[no-untyped-call]
            for summary in (table, start, end):
                writer.file_writer.add_summary(summary)

    def _cells(self, design: Mapping[str, Hashable]) -> dict[str, str | float]:
        return {
            name: _text(option)
            if name in self._texts or not isinstance(option, (int, float))
            else option
            for name, option in design.items()
        }

    def finish(self, evaluations: Sequence[Evaluation], objective: Objective) -> None:
        """Logs the picture of all trained candidates and the Pareto front."""
        with self._no_more_after_errors():
            if self._writer is not None:
                picture = pareto_picture(evaluations, objective)
                self._writer.add_image("pareto", picture, self._trials, dataformats="HWC")


def _are_numbers(options: Sequence[Hashable]) -> bool:
    """Whether all options are numbers, or all of them are yes or no, which torch logs as 1 and 0."""
    kinds = {isinstance(option, bool) for option in options}
    return len(kinds) == 1 and all(isinstance(option, (int, float)) for option in options)


def _text(option: Hashable) -> str:
    return str(option) if isinstance(option, (str, int, float)) else repr(option)


def pareto_picture(
    evaluations: Sequence[Evaluation], objective: Objective
) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """A plot of accuracy against `size_bytes` of all trained candidates, with the front as a line,
    uint8 [H, W, 4].
    """
    figure = Figure(figsize=(8, 5), dpi=100, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_subplot(
        xlabel="size_bytes", ylabel="validation accuracy", title="Pareto front"
    )
    trained = [evaluation for evaluation in evaluations if evaluation.status is Status.OK]
    axes.scatter(*_points(trained), s=18, color="0.6", label="trained candidates")
    front = sorted(
        pareto_front(trained, objective), key=lambda evaluation: evaluation.metrics["size_bytes"]
    )
    axes.plot(*_points(front), marker="o", color="tab:blue", label="front")
    axes.legend(loc="lower right")
    canvas.draw()  # type: ignore[no-untyped-call]
    return np.asarray(canvas.buffer_rgba())  # type: ignore[no-untyped-call]


def _points(evaluations: Sequence[Evaluation]) -> tuple[list[float], list[float]]:
    return [evaluation.metrics["size_bytes"] for evaluation in evaluations], [
        evaluation.metrics["accuracy"] for evaluation in evaluations
    ]
