"""TensorBoard logs of a search: its curves, its Pareto front, its best network, every trained candidate."""

import logging
import shutil
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from math import fsum, sqrt
from pathlib import Path
from statistics import fmean
from types import TracebackType
from typing import Self

from torch.utils.tensorboard import SummaryWriter

from nas.board.axes import first_metric
from nas.board.choices_picture import choices_picture
from nas.board.entropy import entropy_of_choices
from nas.board.layout import WINDOW, layout_of
from nas.board.network import LoggedNetwork, described, graph_of
from nas.board.pareto_picture import pareto_picture
from nas.board.trial_log import TrialLog
from nas.objective import Evaluation, Objective, Status
from nas.space import Choices
from nas.standing import Standing
from nas.strategy import Reporting, Strategy

FIRST_PICTURE, GROWTH = 8, 1.5
"""After so many trials there are pictures, and again whenever the trials have grown by this factor."""

NetworkOf = Callable[[Evaluation], LoggedNetwork | None]
"""The network of a candidate; None if its files are missing."""


def unknown_network(_: Evaluation) -> None:
    """Knows no candidate's network."""


class TensorBoardLog:
    """Logs a search below `folder`: its curves to `search`, each trained candidate to
    `trials/NNNNN`. `choices` are those of its space, `network_of` gives what is shown of the best, and
    `curve_metric` is what learning curves have.

    A resumed search passes through all earlier evaluations again, so the logs are written anew, with
    the times at which the evaluations were journalled. If they cannot be written, a warning is logged
    and no more is written: a search must not end because of its logs.
    """

    def __init__(
        self,
        folder: Path,
        choices: Choices,
        network_of: NetworkOf = unknown_network,
        curve_metric: str = "accuracy",
    ) -> None:
        self._folder, self._choices, self._network_of = folder, choices, network_of
        self._curve_metric = curve_metric
        self._trial_log = TrialLog(folder / "trials", choices, curve_metric)
        self._writer: SummaryWriter | None = None
        self._standing: Standing | None = None
        self._window: deque[Evaluation] = deque(maxlen=WINDOW)
        self._squared_errors: list[float] = []
        self._trials, self._seconds = 0, 0.0
        self._pictured, self._next_picture = -1, FIRST_PICTURE
        self._leader: Evaluation | None = None
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
        if len(evaluations) == 1:
            writer.add_custom_scalars(layout_of(objective))
        self._seconds += latest.seconds
        if self._standing is None:
            self._standing = Standing(objective)
        self._standing.update(evaluations)
        if latest.file_length is not None:
            self._squared_errors.append(latest.file_length.error**2)
        over = self._standing.counts[Status.OVER_BUDGET]
        scalars = {"search/over_budget_share": over / len(evaluations)}
        _add_scalars(writer, scalars, len(evaluations), latest)
        if latest.status is Status.OVER_BUDGET:
            return
        self._trials += 1
        if isinstance(strategy, Reporting):
            report = {f"strategy/{name}": value for name, value in strategy.report().items()}
            _add_scalars(writer, report, self._trials, latest)
        if latest.status is Status.OK:
            self._add_curves(writer, latest, objective, self._standing)
            self._trial_log.add(latest, objective)
        if self._trials >= self._next_picture:
            self._next_picture = int(self._trials * GROWTH)
            self._add_pictures(writer, evaluations, objective)

    def _add_curves(
        self, writer: SummaryWriter, latest: Evaluation, objective: Objective, standing: Standing
    ) -> None:
        first, leader = first_metric(objective), standing.best
        scalars = {f"candidate/{name}": value for name, value in latest.metrics.items()}
        if leader is not None:
            scalars |= {f"best/{name}": value for name, value in leader.metrics.items()}
            seconds = {f"best_by_second/{first}": leader.metrics[first]}
            _add_scalars(writer, seconds, round(self._seconds), latest)
            self._add_network(writer, leader, latest)
        if self._squared_errors:
            scalars["search/size_error"] = sqrt(
                fsum(self._squared_errors) / len(self._squared_errors)
            )
        scalars["search/hypervolume"] = standing.hypervolume
        self._window.append(latest)
        scalars[f"search/window_mean_{first}"] = fmean(each.metrics[first] for each in self._window)
        scalars["search/entropy"] = entropy_of_choices([*self._window], self._choices)
        _add_scalars(writer, scalars, self._trials, latest)

    def _add_network(self, writer: SummaryWriter, leader: Evaluation, latest: Evaluation) -> None:
        """Logs the best network if it is another one than before."""
        if leader is self._leader:
            return
        self._leader = leader
        network = self._network_of(leader)
        if network is None:
            return
        time, step = latest.finished, self._trials
        writer.add_text("best", described(leader, network.file), step, walltime=time)
        for name, levels in network.levels().items():
            writer.add_histogram(f"weights/{name}", levels, step, walltime=time)
        for name, values in network.activations():
            writer.add_histogram(f"activations/{name}", values, step, walltime=time)

    def _add_pictures(
        self, writer: SummaryWriter, evaluations: Sequence[Evaluation], objective: Objective
    ) -> None:
        if self._trials == self._pictured:
            return
        self._pictured = self._trials
        time = evaluations[-1].finished if evaluations else None
        pictures = {"pareto": pareto_picture(evaluations, objective, self._curve_metric)}
        if self._trials >= FIRST_PICTURE and any(e.status is Status.OK for e in evaluations):
            pictures["choices"] = choices_picture(evaluations, self._choices)
        for name, picture in pictures.items():
            writer.add_image(name, picture, self._trials, walltime=time, dataformats="HWC")

    def finish(self, evaluations: Sequence[Evaluation], objective: Objective) -> None:
        """Logs the pictures as they are at the end, and the best network as a graph."""
        with self._no_more_after_errors():
            if self._writer is not None:
                self._add_pictures(self._writer, evaluations, objective)
                network = None if self._leader is None else self._network_of(self._leader)
                if network is not None:
                    # TensorBoard shows one graph of a run.
                    file = self._writer._get_file_writer()  # type: ignore[no-untyped-call]
                    file.add_onnx_graph(graph_of(network.file))


def _add_scalars(
    writer: SummaryWriter, scalars: "dict[str, float]", step: int, latest: Evaluation
) -> None:
    """Logs numbers at a step, at the time at which the latest evaluation was journalled."""
    for name, value in scalars.items():
        writer.add_scalar(name, value, step, walltime=latest.finished)
