"""What a run found, for Python and notebooks."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.experiment import Experiment
from nas.objective import Evaluation
from nas.runs.result_text import result_line, result_table
from nas.runs.trial_table import trial_rows

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True, repr=False)
class RunResult:
    """What a run found: all evaluations in order, the best one (None: none met the budget), its
    test accuracy, the evaluations of the candidates that were trained again, and that of the final
    network (None: none was wanted, or no candidate to train was within the budget).

    Where the experiment compares candidates by another metric of quality, as `Experiment.quality` says,
    `test_accuracy` is that one. `experiment` and `out` are those of the run.
    """

    evaluations: tuple[Evaluation, ...]
    best: Evaluation | None
    test_accuracy: float | None
    retrained: tuple[Evaluation, ...] = ()
    final: Evaluation | None = None
    experiment: Experiment | None = field(default=None, compare=False)
    out: Path | None = field(default=None, compare=False)

    def __repr__(self) -> str:
        # Evaluations hold whole learning curves.
        return f"RunResult({result_line(self.evaluations, self.best, self.test_accuracy, self._quality)})"

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        return result_table(self.evaluations, self.best, self.test_accuracy, self._quality)

    @property
    def _quality(self) -> str:
        return "accuracy" if self.experiment is None else self.experiment.quality

    def model(self, candidate: Evaluation | None = None) -> "nn.Module":
        """The trained and compressed network of a candidate (None: of the best), in evaluation mode.

        Its answers are those of the packed file but for roundings: the file is what was measured.

        Raises:
            ValueError: if there is no best candidate, the result is not that of a run, or the weights
                are missing or damaged.
        """
        from nas.runs.retrain import restored

        if (chosen := candidate or self.best) is None:
            raise ValueError("a network must be that of a candidate, but none met the budget")
        if self.experiment is None or self.out is None:
            raise ValueError(
                "a network must be read from the directory of a run, but there is none"
            )
        return restored(self.experiment, self.out, chosen).eval()

    def to_pandas(self) -> Any:
        """All evaluations as a `pandas.DataFrame`, with the columns of `nas export --to csv`: None where
        a metric was not measured or a choice was not active.

        Raises:
            ImportError: if pandas is not installed.
        """
        try:
            import pandas as pd
        except ImportError as error:
            raise ImportError("a data frame needs pandas: pip install pandas") from error
        return pd.DataFrame(trial_rows(self.evaluations)).set_index("number")
