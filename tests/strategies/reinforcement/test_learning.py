import numpy as np
import pytest

from nas.objective import Evaluation, Objective, Status, best
from nas.search_loop import Pending, search
from nas.seeds import generator
from nas.space import Choice, Choices
from nas.strategy import Proposal, StrategyFactory
from strategies.annealing import Annealing
from strategies.evolutionary.aging import AgingEvolution
from strategies.evolutionary.nsga2 import Nsga2
from strategies.local_search import LocalSearch
from strategies.random_search import RandomSearch
from strategies.reinforcement.reinforce import Reinforce

CHOICES = Choices([Choice(f"stage{i}", "op", ("a", "b", "c", "d")) for i in range(12)])
WORTH = generator(7, "worth").random((12, 4))
OBJECTIVE = Objective()
LEARNING = [LocalSearch, Annealing, AgingEvolution, Nsga2, Reinforce]


def submit(number: int, proposal: Proposal) -> Pending:
    accuracy = float(WORTH[range(12), proposal.genotype].mean())
    return lambda: Evaluation(
        id=number,
        genotype=proposal.genotype,
        design={},
        status=Status.OK,
        reason="",
        metrics={"accuracy": accuracy},
        seconds=0.0,
    )


def regret(make: StrategyFactory, window: int = 1) -> float:
    """The regret of the best of 200 candidates, the mean of five seeds."""
    found = []
    for seed in range(5):
        top = best(
            search(
                make(CHOICES, np.random.default_rng(seed)),
                submit,
                OBJECTIVE,
                trials=200,
                window=window,
            ),
            OBJECTIVE,
        )
        assert top is not None
        found.append(top.metrics["accuracy"])
    return float(WORTH.max(1).mean() - np.mean(found))


@pytest.mark.parametrize("make", LEARNING)
def test_learning_beats_random_search_by_far(make: StrategyFactory) -> None:
    assert regret(make) < 0.3 * regret(RandomSearch)


@pytest.mark.parametrize("make", LEARNING)
def test_learning_survives_many_outstanding_proposals(make: StrategyFactory) -> None:
    assert regret(make, window=16) < 0.6 * regret(RandomSearch)
