"""What a run's result looks like, printed and in a notebook."""

import sys
from dataclasses import replace
from types import ModuleType

import pytest

from nas.objective import Status
from nas.runs.result import RunResult
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


def test_a_data_frame_has_a_row_for_each_evaluation(monkeypatch: pytest.MonkeyPatch) -> None:
    class Frame(list[dict[str, object]]):
        def set_index(self, name: str) -> "Frame":
            assert all(name in row for row in self)
            return self

    pandas = ModuleType("pandas")
    pandas.DataFrame = Frame  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pandas", pandas)
    best = evaluation(0)
    first, second = RunResult((best, FAILED), best, None).to_pandas()
    assert (first["number"], first["accuracy"], first["design.width"]) == (0, 1 / 3, 0)
    assert (second["status"], second["accuracy"]) == ("FAILED", None)
    assert first.keys() == second.keys()


def test_without_pandas_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match="pip install pandas"):
        RunResult((FAILED,), None, None).to_pandas()


def test_a_network_needs_a_candidate_and_a_run() -> None:
    with pytest.raises(ValueError, match="none met the budget"):
        RunResult((FAILED,), None, None).model()
    with pytest.raises(ValueError, match="there is none"):
        RunResult((evaluation(0),), evaluation(0), None).model()
