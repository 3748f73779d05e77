"""What the network does on test data, class by class."""

from collections.abc import Sequence

from nas.report.chart import Chart
from nas.report.figures import number, percent
from nas.report.markup import Markup, element
from nas.report.reported_run import ReportedRun
from nas.report.tables import table
from nas.runs.confusion import Counts, read_confusion
from nas.runs.directory import read_class_names
from nas.runs.recommended import Network

MOST_DRAWN = 30
"""Of more classes, the numbers in the cells of the picture could not be read."""


def tested(run: ReportedRun) -> "list[Markup | Chart]":
    """The confusion matrix of the packed file, and its accuracy by class."""
    network = run.network
    counts = None if network is None else read_confusion(network.folder, network.evaluation.id)
    if run.curve_metric == "r2":
        return [element("p", "The task is a regression, which has no classes.")]
    if network is None or counts is None:
        return [
            element("p", "The classes that were taken for each other are not in the run directory.")
        ]
    names = class_names(run, len(counts))
    parts: list[Markup | Chart] = [element("p", _said(network, counts)), _by_class(names, counts)]
    if len(counts) <= MOST_DRAWN:
        parts.insert(1, _matrix(names, counts))
    return parts


def class_names(run: ReportedRun, classes: int) -> list[str]:
    """The names of the classes of a run, or their numbers."""
    names = read_class_names(run.out)
    return [*names] if names and len(names) == classes else [str(n) for n in range(classes)]


def _said(network: Network, counts: Counts) -> str:
    right = sum(row[index] for index, row in enumerate(counts))
    samples = sum(map(sum, counts))
    return f"The file of {network.what}, on test data that the search did not see: {right:,} of {samples:,} samples right."


def _matrix(names: Sequence[str], counts: Counts) -> Chart:
    cells = [
        [label, taken, count, round(count / max(1, sum(row)), 4)]
        for label, row in enumerate(counts)
        for taken, count in enumerate(row)
    ]
    rows = [[name, *map(str, row)] for name, row in zip(names, counts, strict=True)]
    caption = "samples by their class (rows) and the class that they were taken for (columns)"
    beside = table(caption, ("class", *names), rows)
    return Chart("confusion", {"names": names, "cells": cells}, caption, beside)


def _by_class(names: Sequence[str], counts: Counts) -> Markup:
    rows = [_row(names, index, row) for index, row in enumerate(counts)]
    head = ("class", "samples", "right", "accuracy", "most often taken for")
    return table("accuracy by class", head, rows)


def _row(names: Sequence[str], index: int, row: Sequence[int]) -> list[str]:
    wrong = [0 if taken == index else count for taken, count in enumerate(row)]
    worst = max(range(len(row)), key=wrong.__getitem__)
    samples = sum(row)
    return [
        names[index],
        number(samples),
        number(row[index]),
        percent(row[index] / samples) if samples else "–",
        f"{names[worst]}, {wrong[worst]} times" if wrong[worst] else "–",
    ]
