import math
from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
import pytest

from nas.objective import Fitness
from nas.space import Choice, Choices, Genotype
from nas.strategy import Facts, Informed, Proposal, Reporting
from strategies.multi_fidelity.halving import SuccessiveHalving
from strategies.names import NAMES, StrategyName, strategy_class
from strategies.random_search import RandomSearch
from strategies.warm_start import WarmStart

CHOICES = Choices([Choice(f"layer{number}", "bits", (2, 3, 4, 6, 8)) for number in range(8)])
FIRST = [(0,) * 8, (4,) * 8, (0,) * 8, (2, 0, 1, 4, 3, 2, 1, 0)]


class Listening:
    """Proposes nothing of interest, and remembers what it is told."""

    def __init__(self, choices: Choices, rng: np.random.Generator) -> None:
        self.told: list[tuple[Genotype, float]] = []
        self.facts: Callable[[Genotype], Facts] | None = None

    def ask(self) -> Proposal:
        return Proposal((1,) * 8)

    def tell(self, proposal: Proposal, fitness: Fitness) -> None:
        self.told.append((proposal.genotype, fitness[0]))

    def inform(self, facts: Callable[[Genotype], Facts]) -> None:
        self.facts = facts

    def report(self) -> Mapping[str, float]:
        return {"told": float(len(self.told))}


def test_given_candidates_come_first_and_their_results_are_learned_from() -> None:
    made = list[Listening]()

    def make(choices: Choices, rng: np.random.Generator) -> Listening:
        made.append(Listening(choices, rng))
        return made[-1]

    strategy = WarmStart(CHOICES, np.random.default_rng(0), make, FIRST)
    strategy.inform(lambda _: Facts({}, math.inf))
    asked = [strategy.ask() for _ in range(5)]
    assert [each.genotype for each in asked] == [FIRST[0], FIRST[1], FIRST[3], (1,) * 8, (1,) * 8]
    for number, proposal in enumerate(asked):
        strategy.tell(proposal, (float(number),))
    (inner,) = made
    assert inner.told == [(each.genotype, float(n)) for n, each in enumerate(asked)]
    assert inner.facts is not None
    assert strategy.report() == {"told": 5.0}
    assert isinstance(strategy, Informed)
    assert isinstance(strategy, Reporting)
    assert WarmStart(CHOICES, np.random.default_rng(0), RandomSearch, FIRST).report() == {}


def test_a_genotype_outside_the_space_is_refused() -> None:
    with pytest.raises(ValueError, match=r"the gene of 'layer0\.bits' must be in"):
        WarmStart(CHOICES, np.random.default_rng(0), RandomSearch, [(5, *(0,) * 7)])


# Optuna's two samplers share all that learns from results, and a Gaussian process takes long to fit.
@pytest.mark.parametrize("name", [name for name in NAMES if name != "gp"])
def test_every_strategy_can_be_warm_started(name: StrategyName) -> None:
    if name == "tpe":
        pytest.importorskip("optuna")

    def facts(genotype: Genotype) -> Facts:
        size = 10.0 + sum(genotype)
        return Facts({"size_bytes": size}, max(0.0, size / 30 - 1))

    def proposals() -> list[Genotype]:
        strategy = WarmStart(CHOICES, np.random.default_rng(0), strategy_class(name), FIRST)
        strategy.inform(facts)
        asked = [strategy.ask() for _ in range(4)]  # four are outstanding at a time
        for number in range(12):
            excess = facts(asked[number].genotype).excess
            fitness = -excess if excess else sum(asked[number].genotype) / 40
            strategy.tell(asked[number], (fitness, fitness))
            asked.append(strategy.ask())
        return [each.genotype for each in asked]

    found = proposals()
    assert found[:3] == [FIRST[0], FIRST[1], FIRST[3]]
    assert all(CHOICES.canonical(genotype) == genotype for genotype in found)
    assert proposals() == found


def test_brackets_go_round_a_warm_started_strategy() -> None:
    inner = partial(WarmStart, strategy=RandomSearch, genotypes=FIRST)
    strategy = SuccessiveHalving(CHOICES, np.random.default_rng(0), inner, epochs=9, eta=3)
    asked = list[Proposal]()
    for _ in range(12):
        asked.append(strategy.ask())
        strategy.tell(asked[-1], (sum(asked[-1].genotype) / 40,))
    assert [each.genotype for each in asked[:3]] == [FIRST[0], FIRST[1], FIRST[3]]
    # The best of the given candidates reaches the rung above.
    assert asked[3] == Proposal(FIRST[1], None)


LEARNING: tuple[StrategyName, ...] = ("local_search", "annealing", "evolution", "nsga2", "nsga3")


@pytest.mark.parametrize("name", [*LEARNING, "surrogate", "tpe"])
def test_a_strategy_goes_on_from_what_it_was_given(name: StrategyName) -> None:
    """The mean distance of later proposals from a given optimum is below that of random ones."""
    if name == "tpe":
        pytest.importorskip("optuna")
    optimum = np.array([4, 0, 3, 1, 4, 0, 2, 3])
    near = [
        tuple((optimum + shift).clip(0, 4).tolist())
        for shift in np.random.default_rng(1).integers(-1, 2, (16, 8))
    ]

    def mean_distance(genotypes: list[Genotype]) -> float:
        strategy = WarmStart(CHOICES, np.random.default_rng(0), strategy_class(name), genotypes)
        distances = list[float]()
        for _ in range(40):
            proposal = strategy.ask()
            distances.append(float(np.abs(np.array(proposal.genotype) - optimum).mean()))
            strategy.tell(proposal, (1 - distances[-1] / 4,))
        return float(np.mean(distances[len(set(genotypes)) :][:20]))

    assert mean_distance(near) < 0.8 * mean_distance([])
