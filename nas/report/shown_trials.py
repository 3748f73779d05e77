"""The trials that pictures show, as few as a page of bounded size has room for."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

from nas.objective import Evaluation, pareto_front
from nas.report.figures import option_text
from nas.report.reported_run import ReportedRun

MOST_CELLS = 60_000
"""Of all runs of a page: numbers of a trial and options of its design."""


@dataclass(frozen=True)
class ShownTrials:
    """Trained trials of the highest fidelity, by number, the names of their `metrics` and of the
    `choices` that any of them has, and the `options` of each choice, smallest first.
    """

    evaluations: Sequence[Evaluation]
    metrics: Sequence[str]
    choices: Sequence[str]
    options: Sequence[Sequence[Hashable]]

    def to_json(self) -> dict[str, Any]:
        """Columns by name, and a row for each trial: its number, metrics, and the index of each
        option (-1: the choice was not active).
        """
        places = [{option: i for i, option in enumerate(each)} for each in self.options]
        rows = [
            [
                each.id,
                [
                    _short(each.metrics[name]) if name in each.metrics else None
                    for name in self.metrics
                ],
                [
                    place[hashable(each.design[name])] if name in each.design else -1
                    for name, place in zip(self.choices, places, strict=True)
                ],
            ]
            for each in self.evaluations
        ]
        texts = [[option_text(option) for option in each] for each in self.options]
        return {"metrics": self.metrics, "choices": self.choices, "options": texts, "rows": rows}


def shown_trials(run: ReportedRun, runs: int) -> ShownTrials:
    """The trials of one of so many runs: all, or the Pareto front and others evenly over the search."""
    trained = run.trained
    choices = [*dict.fromkeys(name for each in trained for name in each.design)]
    metrics = [*dict.fromkeys(name for each in trained for name in each.metrics)]
    most = max(1, MOST_CELLS // runs // (len(choices) + len(metrics) + 2))
    options = [options_of(trained, name) for name in choices]
    return ShownTrials(_few(run, trained, most), metrics, choices, options)


def options_of(evaluations: Sequence[Evaluation], name: str) -> list[Hashable]:
    """The options of a choice that these designs have, numbers by size and others as they came."""
    found = dict.fromkeys(hashable(e.design[name]) for e in evaluations if name in e.design)
    if all(isinstance(option, (int, float)) for option in found):
        return sorted(found, key=float)  # type: ignore[arg-type]
    return [*found]


def _few(run: ReportedRun, trained: Sequence[Evaluation], most: int) -> list[Evaluation]:
    if len(trained) <= most:
        return [*trained]
    kept = {each.id for each in pareto_front(trained, run.objective)[:most]}
    others = [each for each in trained if each.id not in kept]
    wanted = most - len(kept)
    kept |= {others[index * len(others) // wanted].id for index in range(wanted)}
    return [each for each in trained if each.id in kept]


def hashable(option: Any) -> Hashable:
    """Journals have made lists of tuples."""
    return tuple(map(hashable, option)) if isinstance(option, list) else option


def _short(value: float) -> float:
    return float(f"{value:.7g}")
