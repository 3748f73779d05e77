import numpy as np
import pytest

from nas.space import Choice, Choices
from strategies.evolutionary.aging import AgingEvolution
from strategies.names import NAMES, StrategyName, configured, strategy_class

CHOICES = Choices([Choice("", "bits", (2, 4, 8))])


@pytest.mark.parametrize("name", NAMES)
def test_every_name_makes_a_strategy(name: StrategyName) -> None:
    strategy = configured(name, {})(CHOICES, np.random.default_rng(0))
    assert CHOICES.check(strategy.ask().genotype)


def test_settings_have_the_types_of_the_signature() -> None:
    make = configured("evolution", {"population": "10", "sample": "3"})
    assert make.func is strategy_class("evolution") is AgingEvolution
    assert make.keywords == {"population": 10, "sample": 3}
    assert configured("reinforce", {"clip": "0.2", "learning_rate": "1e-3"}).keywords == {
        "clip": 0.2,
        "learning_rate": 1e-3,
    }
    assert configured("reinforce", {"clip": "null"}).keywords == {"clip": None}


def test_unknown_settings_and_wrong_types_are_refused() -> None:
    with pytest.raises(
        ValueError,
        match=r"an option of 'evolution' must be one of \('population', 'sample', 'balanced', 'immigrants'\), but got 'rng'",
    ):
        configured("evolution", {"rng": "1"})
    with pytest.raises(
        ValueError, match=r"'sample' of 'evolution' must be of type int, but got '2\.5'"
    ):
        configured("evolution", {"sample": "2.5"})
