"""What a prompt and a notebook show."""

from dataclasses import replace

import torch

from nas.data import Split
from nas.objective import Status
from nas.space import Choice, Choices
from tests.nas.runs.journals import evaluation

CHOICES = Choices(
    [
        Choice("", "op", ("<conv>", "skip")),
        Choice("head", "bits", (2, 4)),
        Choice(
            "head",
            "width",
            (8, 16),
            (("op", frozenset({"skip"})), ("head.bits", frozenset({4, 2}))),
        ),
    ]
)


def test_an_evaluation_is_one_line() -> None:
    short = repr(evaluation(0))
    assert short == "Evaluation(number 0, OK, accuracy 0.333333, size_bytes 100)"
    failed = replace(evaluation(1), status=Status.FAILED, metrics={}, reason="no & no")
    assert repr(failed) == "Evaluation(number 1, FAILED for no & no)"
    shown = failed._repr_html_()
    assert "<tr><th>reason</th><td>no &amp; no</td></tr>" in shown
    assert "<tr><th>width</th><td>8</td></tr>" in shown


def test_a_space_is_a_table_of_its_choices() -> None:
    assert repr(CHOICES) == "Choices(3 choices of op, bits, width)"
    shown = CHOICES._repr_html_()
    assert "<tr><th>op</th><td>&lt;conv&gt;, skip</td><td></td></tr>" in shown
    assert "<td>8, 16</td><td>head.bits is 2 or 4 and op is skip</td>" in shown


def test_samples_are_counted_not_listed() -> None:
    split = Split(torch.zeros(1200, 1, 8, 8), torch.zeros(1200).long())
    assert repr(split) == "Split(1,200 samples of (1, 8, 8))"
