from pathlib import Path
from typing import Literal

import pytest

from nas.cli.begun_strategy import begun_strategy
from nas.experiment import Experiment
from nas.runs.journal import open_journal
from nas.strategy import StrategyFactory
from strategies.evolutionary.aging import AgingEvolution
from strategies.grid import Grid
from strategies.random_search import RandomSearch

KNOWN: dict[str, StrategyFactory] = {"evolution": AgingEvolution, "random": RandomSearch}
JOURNALLED = AgingEvolution.__qualname__


@pytest.fixture
def described(monkeypatch: pytest.MonkeyPatch) -> None:
    """Experiments that are described by their strategy alone."""
    monkeypatch.setattr(
        "nas.cli.begun_strategy.parse_experiment",
        lambda function, arguments, prog, add: (function(*arguments[1::2][-1:]), None, {}),
    )


class _Described:
    def __init__(self, make: StrategyFactory) -> None:
        self.make = make

    def describe(self) -> dict[str, str]:
        return {"strategy": self.make.__qualname__}


def search(strategy: Literal["auto", "random", "evolution"] = "auto") -> Experiment:
    return _Described(KNOWN.get(strategy, Grid))  # type: ignore[return-value]


def plain(strategy: str = "evolution") -> Experiment:
    return search(strategy)  # type: ignore[arg-type]


def journalled(out: Path, strategy: str) -> Path:
    with open_journal(out, {"strategy": strategy}):
        return out


@pytest.mark.usefixtures("described")
def test_a_run_keeps_the_strategy_that_it_began_with(tmp_path: Path) -> None:
    out = journalled(tmp_path, JOURNALLED)
    assert begun_strategy(search, [], "nas run", out) == "evolution"


@pytest.mark.usefixtures("described")
def test_what_is_named_is_not_overruled(tmp_path: Path) -> None:
    out = journalled(tmp_path, JOURNALLED)
    assert begun_strategy(search, ["--strategy", "random"], "nas run", out) is None
    assert begun_strategy(plain, [], "nas run", out) is None, "its default is no auto"


@pytest.mark.usefixtures("described")
@pytest.mark.parametrize("strategy", [Grid.__qualname__, "Unknown"])
def test_the_present_strategy_and_an_unknown_one_need_no_name(
    tmp_path: Path, strategy: str
) -> None:
    assert begun_strategy(search, [], "nas run", journalled(tmp_path, strategy)) is None


def test_a_new_run_has_none(tmp_path: Path) -> None:
    assert begun_strategy(search, [], "nas run", tmp_path / "new") is None
