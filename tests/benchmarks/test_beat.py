"""The table of the search against the engineer, on made-up images and for seconds."""

from pathlib import Path

import pytest

from benchmarks.baselines import BASELINES, SPACE
from benchmarks.beat import ENGINEER, main


@pytest.mark.slow
def test_every_contestant_has_a_row(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(
        [
            "--data",
            str(data),
            "--bytes",
            "768",
            "--minutes",
            "0.03",
            "--seeds",
            "2",
            "--samples",
            "60",
        ]
    )
    rows = [line.strip("| ").split(" | ") for line in capsys.readouterr().out.splitlines()[2:]]
    assert [row[1] for row in rows] == ["by hand", "search", "random search"]
    for row in rows:
        sizes = [int(size.replace(",", "")) for size in row[3].split(" · ")]
        assert len(sizes) == 2
        assert max(sizes) <= 768
        assert all(0.0 <= float(accuracy) <= 1.0 for accuracy in row[4].split(" · "))
        assert "±" in row[5]


def test_the_engineers_networks_are_baselines() -> None:
    for name in ENGINEER.values():
        assert SPACE.choices.encode(BASELINES[name].design)
