"""The table of what a search is worth without its parts, on made-up images and for seconds."""

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.ablations import SEARCHES, Outcome, main
from benchmarks.trained.tasks import fashion_mnist
from nas.training.augmentation import OFF


@pytest.mark.slow
def test_every_search_has_a_row(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = ["the whole search", "2 bits everywhere"]
    minutes = ["--bytes", "768", "--minutes", "0.02", "--seeds", "2", "--samples", "60"]
    main(["--data", str(data), *minutes, "--only", *names])
    rows = [line.strip("| ").split(" | ") for line in capsys.readouterr().out.splitlines()[2:]]
    assert [row[0] for row in rows] == names
    for row in rows:
        assert all(int(size.replace(",", "")) <= 768 for size in row[2].split(" · "))
    assert "±" in rows[1][-1]


@pytest.mark.parametrize("name", SEARCHES)
def test_a_search_is_the_whole_one_but_for_its_name(name: str, data: Path) -> None:
    task = fashion_mnist(data)
    experiment = replace(SEARCHES[name], first=False).experiment(data, task, 1536, 1)
    bits = {
        option
        for choice in experiment.space.choices
        if choice.kind == "bits"
        for option in choice.options
    }
    assert bits == ({int(name[0])} if name.endswith("bits everywhere") else {2, 3, 4, 8})
    assert (experiment.recipe.augmentation != OFF) == (name == "images moved and mirrored")
    assert (experiment.recipe.rate_penalty == 0.0) == (name == "no penalty of coded bits")
    assert experiment.seed == 1


def test_a_difference_within_two_standard_errors_is_noise() -> None:
    whole = Outcome((9, 9), (1500, 1500), (0.90, 0.89))
    assert whole.row("whole", whole).endswith("| 0.8950 |  |")
    assert (
        Outcome((9, 9), (1500, 1500), (0.91, 0.89))
        .row("near", whole)
        .endswith("+0.50 ± 1.12, noise |")
    )
    assert Outcome((9, 9), (1500, 1500), (0.80, 0.80)).row("far", whole).endswith("-9.50 ± 0.50 |")
    assert Outcome((9,), (1500,), (0.80,)).row("one", whole).endswith("-9.50 |")
