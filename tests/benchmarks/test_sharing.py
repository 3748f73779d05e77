import re
from collections.abc import Callable

import pytest

from benchmarks.sharing import compare_rankings, compare_searches, rank_correlation
from nas.experiment import Experiment
from nas.seeds import generator
from nas.training.supernet import Supernet

Make = Callable[..., Experiment]


def test_a_rank_correlation_is_told_with_its_error() -> None:
    rows = [{"short": -1.0 * value, "long": float(value**3)} for value in range(8)]
    assert rank_correlation(rows, "short", generator(0, "x")) == "-1.00 ± 0.00"
    assert (
        rank_correlation(
            [{"short": 1.0, "long": 0.1 * i} for i in range(3)], "short", generator(0, "x")
        )
        == ""
    )
    rows[0]["short"] = -4.5
    assert re.fullmatch(
        r"-0\.\d\d ± 0\.[1-4]\d", rank_correlation(rows, "short", generator(0, "x"))
    )


def test_rankings_and_searches_are_told_with_a_supernet_and_without(
    tiny: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    experiment = tiny(
        {"size_bytes": 220.0}, supernet=Supernet(epochs=1, networks=3, designs=4), trials=2
    )
    compare_rankings(experiment, 4)
    compare_searches(experiment, 1e-9)
    supernet, _, header, _, *rows = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"supernet: \d s of processor time", supernet)
    assert header == "| bytes | short | shared, not trained | shared, short | long |"
    designs = [row for row in rows if re.match(r"\| \d+ \|", row)]
    assert 1 < len(designs) <= 4
    assert rows[len(designs)].startswith("| rank correlation | ")
    assert [row[:16] for row in rows[-2:]] == ["| no | 0.0 | 1 |", "| 1 epochs | 0.0"]
