from pathlib import Path

from nas.objective import Status, pareto_front
from nas.report.reported_run import read_runs
from nas.report.shown_trials import MOST_CELLS, options_of, shown_trials
from tests.nas.report.runs import OBJECTIVE, search, trial, write


def test_a_short_search_is_shown_whole(tmp_path: Path) -> None:
    evaluations = search(30)
    (run,) = read_runs([write(tmp_path, evaluations)])
    shown = shown_trials(run, 1)
    assert [each.id for each in shown.evaluations] == [
        e.id for e in evaluations if e.status is Status.OK
    ]
    found = shown.to_json()
    assert found["choices"] == ["head.bits", "op"]
    assert found["options"] == [["2", "3", "4"], ["conv"]]
    assert found["rows"][1] == [
        1,
        [evaluations[1].metrics[n] if n != "accuracy" else 0.3663366 for n in found["metrics"]],
        [1, 0],
    ]


def test_of_a_long_search_the_front_and_others_evenly(tmp_path: Path) -> None:
    evaluations = search(600)
    (run,) = read_runs([write(tmp_path, evaluations)])
    shown = shown_trials(
        run, MOST_CELLS // 700
    ).evaluations  # as many runs leave room for 100 trials
    ids = [each.id for each in shown]
    assert 90 <= len(ids) <= 110
    assert ids == sorted({*ids})
    assert {each.id for each in pareto_front(evaluations, OBJECTIVE)} <= {*ids}
    assert 30 < sum(id < 300 for id in ids) < 70


def test_candidates_of_few_epochs_are_not_shown_among_others(tmp_path: Path) -> None:
    mixed = [trial(0, epochs=1.0), trial(1, epochs=4.0), trial(2, epochs=4.0)]
    (run,) = read_runs([write(tmp_path, mixed)])
    assert [each.id for each in run.trained] == [1, 2]


def test_options_are_in_order(tmp_path: Path) -> None:
    designs = [{"a": 8, "b": "x", "c": [3, 3]}, {"a": 2, "b": None, "c": [1, 1]}, {"a": 4}]
    trials = [trial(id, design=design) for id, design in enumerate(designs)]  # type: ignore[arg-type]
    assert options_of(trials, "a") == [2, 4, 8]
    assert options_of(trials, "b") == ["x", None]
    assert options_of(trials, "c") == [(3, 3), (1, 1)]
