"""TensorBoard logs of single candidates: learning curves, metrics and a row of hyperparameters."""

from pathlib import Path

from torch.utils.tensorboard import SummaryWriter
from torch.utils.tensorboard.summary import hparams

from nas.board.hyper_parameters import HyperParameters
from nas.objective import Evaluation, Objective
from nas.space import Choices


class TrialLog:
    """Logs trained candidates of a space with these choices, each to `folder`/NNNNN, their learning
    curves by the name of what these have.

    An event file for each, because TensorBoard's table of hyperparameters has a row for each file.
    """

    def __init__(self, folder: Path, choices: Choices, curve_metric: str = "accuracy") -> None:
        self._folder, self._curve_metric = folder, curve_metric
        self._cells = HyperParameters(choices)

    def add(self, evaluation: Evaluation, objective: Objective) -> None:
        """Logs a candidate; the metrics of the objective are the first columns.

        Raises:
            OSError: if the logs cannot be written.
        """
        time = evaluation.finished
        with SummaryWriter(str(self._folder / f"{evaluation.id:05d}")) as writer:
            for number, epoch in enumerate(evaluation.history, 1):
                writer.add_scalar("epoch/loss", epoch.loss, number, walltime=time)
                if epoch.accuracy is not None:
                    name = f"epoch/{self._curve_metric}"
                    writer.add_scalar(name, epoch.accuracy, number, walltime=time)
            wanted = (*objective.maximize, *objective.minimize, *objective.budget.limits)
            names = dict.fromkeys((*wanted, *evaluation.metrics))
            metrics = {
                f"metric/{name}": evaluation.metrics[name]
                for name in names
                if name in evaluation.metrics
            }
            for name, value in metrics.items():
                writer.add_scalar(name, value, 0, walltime=time)
            table, _, _ = hparams(self._cells.columns(), metrics)  # type: ignore[no-untyped-call]
            row = self._cells.row(evaluation.design)
            _, start, end = hparams(row, metrics)  # type: ignore[no-untyped-call]
            for summary in (table, start, end):
                writer.file_writer.add_summary(summary, walltime=time)
