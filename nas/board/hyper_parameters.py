"""Designs as rows of TensorBoard's table of hyperparameters.

TensorBoard sorts columns by name, shows the first few unless told otherwise, takes them from one trial, and leaves a trial that
lacks one out of its parallel coordinates. A column that mixes numbers with others is of texts, because cells of two
types can be neither sorted nor filtered.
"""

from collections.abc import Hashable, Mapping, Sequence
from statistics import fmean

from nas.space import Choice, Choices

FEW = 5
"""So many columns are shown at first."""
NOT_ACTIVE = "–"

Cell = str | float


class HyperParameters:
    """The columns of a space, and the cells of its designs.

    A space of more choices than `FEW` begins with columns that sum them up, "(mean) bits": the mean over sites of each
    kind of number. In the others, a choice that is not active has a cell too: "–" among texts; among numbers 0 if all are
    above it, else one less than the smallest.
    """

    def __init__(self, choices: Choices) -> None:
        self._choices = [*choices]
        self._numeric = {c.name for c in self._choices if _are_numbers(c.options)}
        kinds = dict.fromkeys(choice.kind for choice in self._choices)
        self._summed = [kind for kind in kinds if self._is_summed(kind)]

    def _is_summed(self, kind: str) -> bool:
        alike = [choice.name for choice in self._choices if choice.kind == kind]
        return len(self._choices) > FEW and len(alike) > 1 and {*alike} <= self._numeric

    def columns(self) -> dict[str, Cell]:
        """All columns, with a value of the type of each."""
        return self.row({choice.name: choice.options[0] for choice in self._choices})

    def row(self, design: Mapping[str, Hashable]) -> dict[str, Cell]:
        """The cells of a design, in the order of the columns."""
        cells = {choice.name: self._cell(choice, design) for choice in self._choices}
        sums = {f"(mean) {kind}": self._mean(kind, design) for kind in self._summed}
        return {**sums, **cells}

    def _mean(self, kind: str, design: Mapping[str, Hashable]) -> float:
        names = [choice.name for choice in self._choices if choice.kind == kind]
        active = [float(design[name]) for name in names if name in design]  # type: ignore[arg-type]
        return fmean(active) if active else 0.0

    def _cell(self, choice: Choice, design: Mapping[str, Hashable]) -> Cell:
        if choice.name not in self._numeric:
            return _text(design[choice.name]) if choice.name in design else NOT_ACTIVE
        if choice.name in design:
            option = design[choice.name]
            return option if isinstance(option, (int, float)) else str(option)
        least = min(map(float, choice.options))  # type: ignore[arg-type]
        return 0.0 if least > 0 else least - 1.0


def _are_numbers(options: Sequence[Hashable]) -> bool:
    """Whether all options are numbers, or all of them are yes or no, which torch logs as 1 and 0."""
    kinds = {isinstance(option, bool) for option in options}
    return len(kinds) == 1 and all(isinstance(option, (int, float)) for option in options)


def _text(option: Hashable) -> str:
    return str(option) if isinstance(option, (str, int, float)) else repr(option)
