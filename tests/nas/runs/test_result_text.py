"""What a run's result looks like, printed and in a notebook."""

from dataclasses import replace

from nas.objective import Status
from nas.runs.run import RunResult
from tests.nas.runs.journals import evaluation

FAILED = replace(evaluation(1), status=Status.FAILED, metrics={})


def test_a_result_is_one_short_line() -> None:
    best = evaluation(0)
    assert (
        repr(RunResult((best, FAILED), best, 0.75))
        == "RunResult(OK 1, FAILED 1, best number 0, accuracy 0.333333, size_bytes 100, test accuracy 0.75)"
    )
    assert (
        repr(RunResult((FAILED,), None, None)) == "RunResult(FAILED 1, best none within the budget)"
    )


def test_a_notebook_shows_an_escaped_table() -> None:
    best = replace(evaluation(0), design={"<op>": "a & b"})
    shown = RunResult((best,), best, None)._repr_html_()
    assert "<tr><th>&lt;op&gt;</th><td>a &amp; b</td></tr>" in shown
    assert shown.count("<tr>") == shown.count("</tr>") == 5
    assert "test accuracy" not in shown
