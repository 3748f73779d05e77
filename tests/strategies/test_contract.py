import subprocess
import sys
from functools import partial
from operator import eq

import pytest

from nas.space import Choice, Choices, Constraint
from nas.strategy import StrategyFactory
from nas.testing.strategy import check_strategy
from strategies.annealing import Annealing
from strategies.bayesian.surrogate import Surrogate
from strategies.evolutionary.aging import AgingEvolution
from strategies.evolutionary.nsga2 import Nsga2
from strategies.evolutionary.nsga3 import Nsga3
from strategies.grid import Grid
from strategies.local_search import LocalSearch
from strategies.multi_fidelity.halving import Hyperband, SuccessiveHalving
from strategies.random_search import RandomSearch
from strategies.reinforcement.reinforce import Reinforce

STRATEGIES: dict[str, StrategyFactory] = {
    "random": RandomSearch,
    "grid": Grid,
    "local search": LocalSearch,
    "annealing": Annealing,
    "balanced annealing": partial(Annealing, balanced=0.5),
    "annealing that freezes": partial(Annealing, cooling=0.01),
    "evolution": AgingEvolution,
    "balanced evolution": partial(AgingEvolution, balanced=0.5),
    "evolution of one": partial(AgingEvolution, population=1, sample=1),
    "evolution of many": partial(AgingEvolution, population=60, sample=3),
    "evolution with immigrants": partial(AgingEvolution, immigrants=0.5),
    "nsga2": Nsga2,
    "nsga2 with immigrants": partial(Nsga2, immigrants=0.5),
    "nsga2 of four": partial(Nsga2, population=4),
    "nsga2 of many": partial(Nsga2, population=60),
    "nsga3": Nsga3,
    "nsga3 of four": partial(Nsga3, population=4),
    "halving": partial(SuccessiveHalving, strategy=AgingEvolution, epochs=24),
    "halving of nsga2": partial(SuccessiveHalving, strategy=Nsga2, epochs=4, eta=2, least=1),
    "hyperband": partial(Hyperband, strategy=AgingEvolution, epochs=24),
    "hyperband in full": partial(Hyperband, strategy=RandomSearch, epochs=1, least=1),
    "reinforce": partial(Reinforce, hidden=8),
    "reinforce with a clip": partial(Reinforce, hidden=8, clip=0.2),
    "reinforce on every result": partial(Reinforce, batch=1, hidden=8, decay=0.0),
    "surrogate": Surrogate,
    "surrogate of a front": partial(Surrogate, warmup=4, lookups=2, front=True),
    "surrogate of little memory": partial(Surrogate, warmup=1, lookups=2, memory=4),
}
SPACES = {
    "flat": Choices([Choice(f"stage{i}", "op", tuple("abcde"[: i + 1])) for i in range(5)]),
    "one choice": Choices([Choice("", "op", tuple(range(300)))]),
    "few designs": Choices(
        [
            Choice("", "op", ("skip", "conv")),
            Choice("", "bits", (4, 8), ("op", frozenset({"conv"}))),
        ]
    ),
    # A width must equal the last one, unless its stage is left out.
    "equal widths": Choices(
        [
            Choice("", "depth", (1, 2, 3)),
            Choice("s0", "width", (8, 12, 16, 24)),
            Choice("s1", "width", (8, 12, 16, 24), ("depth", frozenset({2, 3}))),
            Choice("s2", "width", (8, 12, 16, 24), ("depth", frozenset({3}))),
            Choice("", "bits", (2, 3, 4, 8)),
        ],
        [Constraint(("s0.width", "s1.width"), eq), Constraint(("s1.width", "s2.width"), eq)],
    ),
}


SLOW = ("reinforce on every result", "surrogate of little memory")
"""Settings at the edge, of strategies that are checked with usual ones too."""


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(make, id=name, marks=[pytest.mark.slow] if name in SLOW else [])
        for name, make in STRATEGIES.items()
    ],
)
def test_every_strategy_keeps_the_contract(make: StrategyFactory) -> None:
    check_strategy(make)


@pytest.mark.parametrize("choices", SPACES.values(), ids=SPACES)
@pytest.mark.parametrize(
    "name",
    [
        "random",
        "grid",
        "local search",
        "annealing",
        "evolution",
        "nsga2",
        "nsga3",
        "halving",
        "hyperband",
        "reinforce",
        pytest.param("surrogate", marks=pytest.mark.slow),
    ],
)
def test_the_contract_holds_in_other_spaces(name: str, choices: Choices) -> None:
    check_strategy(STRATEGIES[name], choices)


def test_no_strategy_without_a_network_imports_torch() -> None:
    names = (
        "random_search",
        "grid",
        "local_search",
        "annealing",
        "evolutionary.aging",
        "evolutionary.nsga2",
        "evolutionary.nsga3",
        "multi_fidelity.halving",
        "reinforcement.env",
        "bayesian.surrogate",
    )
    modules = ", ".join(f"strategies.{name}" for name in names)
    subprocess.run(
        [sys.executable, "-c", f"import sys, {modules}; assert 'torch' not in sys.modules"],
        check=True,
    )
