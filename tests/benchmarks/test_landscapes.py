import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.fronts import distance, front, hypervolume
from benchmarks.landscapes import LANDSCAPES, main, parsed


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The tables of `LANDSCAPES`, of 27 designs each, in which what costs more is better."""
    ops = np.array([(a, b, c) for a in range(3) for b in range(3) for c in range(3)])
    cost = 1 + ops.sum(1).astype(float)
    for landscape in LANDSCAPES.values():
        path = tmp_path / landscape.path
        path.parent.mkdir(exist_ok=True)
        facts = {limit[0]: cost for limit in landscape.limits.values() if limit}
        results = {landscape.search_on: 10 * cost, landscape.report: 10 * cost + 1}
        np.savez(path, allow_pickle=False, ops=ops, **facts, **results)
    return tmp_path


def test_what_is_missing_is_searched_and_all_of_it_told(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.jsonl"
    given = [str(data), str(out), "--tables", "widths", "--cases", "free", "macs"]
    main([*given, "--strategies", "random", "--seeds", "2"])
    first = out.read_text()
    main([*given, "--strategies", "random", "evolution:population=4,sample=2", "--seeds", "2"])
    assert out.read_text().startswith(first), "nothing is searched again"
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert len(lines) == 2 * 2 * 2
    assert {max(line["reached"]) for line in lines if line["case"] == "free"} == {71.0}
    limited = [max(line["reached"]) for line in lines if line["case"] == "macs"]
    assert set(limited) == {31.0}, "the 30 % quantile of 27 costs of 1 to 7 is 3"
    assert "| evolution:population=4,sample=2 |" in capsys.readouterr().out


def test_an_unknown_strategy_is_refused() -> None:
    with pytest.raises(ValueError, match="but got 'magic'"):
        parsed("magic:population=3")


def test_the_area_and_the_distance_of_a_front() -> None:
    points = np.array([[1.0, 0.25], [0.5, 0.5], [0.4, 0.4], [0.25, 1.0], [-1.0, 2.0]])
    inside = points[:-1]
    assert front(inside).tolist() == [[0.25, 1.0], [0.5, 0.5], [1.0, 0.25]]
    assert hypervolume(points) == 0.25 * 1.0 + 0.25 * 0.5 + 0.5 * 0.25
    assert hypervolume(-points) == 0
    assert distance(np.array([[0.0, 0.0], [1.0, 0.0]]), np.array([[0.0, 1.0]])) == pytest.approx(
        (1 + 2**0.5) / 2
    )
