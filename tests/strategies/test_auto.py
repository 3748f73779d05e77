from functools import partial

import pytest

from nas.objective import Budget, Objective
from strategies.auto import MOST_TRIALS, automatic, strategy_for
from strategies.bayesian.surrogate import Surrogate
from strategies.evolutionary.aging import AgingEvolution
from strategies.evolutionary.nsga2 import Nsga2

LIMITED = Budget({"size_bytes": 4096.0})
ONE, CHEAP = Objective(), Objective(minimize=("size_bytes",), budget=LIMITED)
FRONT = Objective(minimize=("size_bytes", "macs"), budget=LIMITED)


@pytest.mark.parametrize(
    ("objective", "trials", "expected"),
    [
        (ONE, 60, "surrogate"),
        (CHEAP, 60, "surrogate"),
        (FRONT, 60, "parego"),
        (ONE, MOST_TRIALS + 1, "evolution"),
        (FRONT, MOST_TRIALS + 1, "nsga2"),
    ],
)
def test_trials_and_costs_without_a_limit_decide(
    objective: Objective, trials: int, expected: str
) -> None:
    assert automatic(objective, trials) == expected


def test_a_name_stands_for_itself_and_auto_for_the_automatic_one() -> None:
    assert strategy_for("evolution", ONE, 60) is AgingEvolution
    assert strategy_for("auto", ONE, 60) is Surrogate
    assert strategy_for("auto", FRONT, MOST_TRIALS + 1) is Nsga2
    front = strategy_for("auto", FRONT, 60)
    assert isinstance(front, partial)
    assert front.keywords == {"front": True}


def test_a_policy_of_few_trials_is_warned_of() -> None:
    with pytest.warns(
        UserWarning, match="no better than random search below 60 trials, but has 59"
    ):
        strategy_for("reinforce", ONE, 59)
    assert strategy_for("reinforce", ONE, 60).__name__ == "Reinforce"
