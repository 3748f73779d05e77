from functools import partial

from nas.cli.run import _strategy_text
from strategies.bayesian.surrogate import Surrogate
from strategies.multi_fidelity.halving import SuccessiveHalving
from strategies.warm_start import WarmStart


def test_a_strategy_is_told_with_those_inside_it() -> None:
    warm = partial(WarmStart, strategy=partial(Surrogate, front=True), genotypes=())
    halving = partial(SuccessiveHalving, strategy=warm, epochs=9)
    assert _strategy_text(Surrogate) == "Surrogate"
    assert _strategy_text(halving) == "SuccessiveHalving of WarmStart of Surrogate"
