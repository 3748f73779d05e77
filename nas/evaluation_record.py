"""What is recorded of a candidate: facts, without judgement."""

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from nas.file_length import FileLength
from nas.html_table import html_table
from nas.space import Genotype

Metrics = Mapping[str, float]


class Status(StrEnum):
    """How the evaluation of a candidate ended."""

    OK = "OK"
    OVER_BUDGET = "OVER_BUDGET"
    STOPPED = "STOPPED"
    FAILED = "FAILED"


@dataclass(frozen=True)
class Epoch:
    """One pass over the training data: its mean loss, and the validation accuracy after it, in
    [0, 1]; None if it was not measured. Of a regression, R² stands for the accuracy, or 0 where that
    is below 0.
    """

    loss: float
    accuracy: float | None


Curve = Sequence[Epoch]
"""The learning curve of a candidate, epoch by epoch. The last epoch of a training has an accuracy,
whichever others have one.
"""


def accuracies(curve: Curve) -> list[float]:
    """The validation accuracies of a curve, of the epochs after which they were measured."""
    return [epoch.accuracy for epoch in curve if epoch.accuracy is not None]


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Everything measured about one candidate. It has no fitness, so that any objective can judge
    it.

    `id` counts the candidates of a run from 0. `genotype` is canonical, and `design` has its chosen
    options, or fewer bits where its file would have been over the budget after training. `reason`
    says why the status is not OK. `metrics` are by name: costs, and accuracies if the status is OK.
    `seconds` is how long the evaluation took. `epochs` is the fidelity that the strategy asked for
    (None: the recipe's). `history` is the learning curve. A STOPPED candidate has costs and a
    history, but no accuracy, because it was not packed. `file_length` is that of the packed file and of
    its prediction, where there was one. `traceback` is that of a FAILED candidate, of bounded length.
    `finished` is when it was journalled, in seconds since 1970, UTC (None: it was not, or long ago);
    neither makes evaluations differ.

    Raises:
        ValueError: if a metric is not a finite number.
    """

    id: int
    genotype: Genotype
    design: Mapping[str, Hashable]
    status: Status
    reason: str
    metrics: Metrics
    seconds: float
    epochs: float | None = None
    history: tuple[Epoch, ...] = ()
    file_length: FileLength | None = None
    traceback: str = field(default="", compare=False)
    finished: float | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        for name, value in self.metrics.items():
            # Every comparison with NaN is false: it would meet every budget.
            if not math.isfinite(value):
                raise ValueError(
                    f"the metric {name!r} of candidate {self.id} must be a finite number, but got {value}"
                )

    def __repr__(self) -> str:
        # Without design and curve, which are long.
        metrics = "".join(f", {name} {value:.6g}" for name, value in self.metrics.items())
        return f"Evaluation(number {self.id}, {self.status}{self.reason and f' for {self.reason}'}{metrics})"

    def _repr_html_(self) -> str:
        """What a notebook shows: metrics and design."""
        facts = [("number", f"{self.id}"), ("status", str(self.status)), ("reason", self.reason)]
        metrics = ((name, f"{value:.6g}") for name, value in self.metrics.items())
        design = ((name, str(option)) for name, option in self.design.items())
        shown = [(name, text) for name, text in facts if text]
        return html_table([*shown, *metrics, ("seconds", f"{self.seconds:.1f}"), *design])

    @property
    def fidelity(self) -> float:
        """The epochs that the strategy asked for, infinity for the recipe's own: only candidates of one
        fidelity can be compared.
        """
        return math.inf if self.epochs is None else self.epochs

    @property
    def is_trial(self) -> bool:
        """Whether it counts as a trial: not if it was over budget before any training."""
        return self.status is not Status.OVER_BUDGET or bool(self.history)
