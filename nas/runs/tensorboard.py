"""A search in TensorBoard: its curves, its front, and every trained candidate."""

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

from nas.objective import Evaluation, Objective, Status, best, hypervolume, pareto_front
from nas.space import Choices
from nas.strategy import Reporting, Strategy


class TensorBoardLog:
    """Writes a search below `folder`: its curves to `search`, each trained candidate to
    `trials/NNNNN`.

    A resumed search goes through all it has done before, so the logs are written anew from their
    beginning. Where they cannot be written, the board warns once and logs no more: it is for
    looking on, and no search may end because of it.
    """

    def __init__(self, folder: Path, choices: Choices) -> None:
        self._folder = folder
        # TensorBoard takes the columns of its table from one trial: each must name the choices that
        # its design leaves out.
        self._columns = _plain({choice.name: choice.options[0] for choice in choices})
        self._search: SummaryWriter | None = None
        self._trials = 0
        self._seconds = 0.0
        with self._warned():
            if folder.exists():
                shutil.rmtree(folder)
            self._search = SummaryWriter(str(folder / "search"))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._warned():
            if self._search is not None:
                self._search.close()

    @contextmanager
    def _warned(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            logging.getLogger(__name__).warning(
                "no more TensorBoard logs in %s, because of %s", self._folder, error
            )
            broken, self._search = self._search, None
            if broken is not None:
                with suppress(OSError):
                    broken.close()

    def add(
        self, evaluations: Sequence[Evaluation], objective: Objective, strategy: Strategy
    ) -> None:
        """Logs the last of `evaluations`; the ones before it have been logged."""
        with self._warned():
            if self._search is not None:
                self._add(self._search, evaluations, objective, strategy)

    def _add(
        self,
        board: SummaryWriter,
        evaluations: Sequence[Evaluation],
        objective: Objective,
        strategy: Strategy,
    ) -> None:
        latest = evaluations[-1]
        self._seconds += latest.seconds
        over = sum(evaluation.status is Status.OVER_BUDGET for evaluation in evaluations)
        board.add_scalar("search/over_budget_share", over / len(evaluations), len(evaluations))
        if latest.status is Status.OVER_BUDGET:
            return
        self._trials += 1
        if isinstance(strategy, Reporting):
            for name, value in strategy.report().items():
                board.add_scalar(f"strategy/{name}", value, self._trials)
        if latest.status is Status.OK:
            self._curves(board, latest, evaluations, objective)
            self._trial(latest)

    def _curves(
        self,
        board: SummaryWriter,
        latest: Evaluation,
        evaluations: Sequence[Evaluation],
        objective: Objective,
    ) -> None:
        for name, value in latest.metrics.items():
            board.add_scalar(f"candidate/{name}", value, self._trials)
        leader = best(evaluations, objective)
        if leader is not None:
            for name, value in leader.metrics.items():
                board.add_scalar(f"best/{name}", value, self._trials)
            name = objective.maximize[0] if objective.maximize else objective.minimize[0]
            board.add_scalar(f"best_by_second/{name}", leader.metrics[name], round(self._seconds))
        board.add_scalar("search/hypervolume", hypervolume(evaluations, objective), self._trials)

    def _trial(self, evaluation: Evaluation) -> None:
        # One event file a trial: TensorBoard's hyper-parameter table has a row for each.
        with SummaryWriter(str(self._folder / "trials" / f"{evaluation.id:05d}")) as writer:
            for epoch, reached in enumerate(evaluation.history, 1):
                writer.add_scalar("epoch/loss", reached.loss, epoch)
                writer.add_scalar("epoch/accuracy", reached.accuracy, epoch)
            metrics = {f"metric/{name}": value for name, value in evaluation.metrics.items()}
            for name, value in metrics.items():
                writer.add_scalar(name, value, 0)
            table, _, _ = hparams(self._columns, metrics)  # type: ignore[no-untyped-call]
            _, start, end = hparams(_plain(evaluation.design), metrics)  # type: ignore[no-untyped-call]
            for summary in (table, start, end):
                writer.file_writer.add_summary(summary)

    def finish(self, evaluations: Sequence[Evaluation], objective: Objective) -> None:
        """Draws accuracy against size, the Pareto front among them."""
        with self._warned():
            if self._search is not None:
                picture = pareto_picture(evaluations, objective)
                self._search.add_image("pareto", picture, self._trials, dataformats="HWC")


def _plain(design: Mapping[str, Hashable]) -> dict[str, str | float | bool]:
    return {
        name: option if isinstance(option, (bool, int, float, str)) else repr(option)
        for name, option in design.items()
    }


def pareto_picture(
    evaluations: Sequence[Evaluation], objective: Objective
) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Accuracy against `size_bytes` of every trained candidate, uint8 [H, W, 4]; the front is
    joined by a line.
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
