import logging
import random
import subprocess
import sys
from functools import partial
from typing import Any

import numpy as np
import pytest

from nas.objective import Budget, Evaluation, Objective, Status, best
from nas.search_loop import Pending, search
from nas.seeds import generator
from nas.space import Choice, Choices, Genotype
from nas.strategy import Proposal, StrategyFactory
from nas.testing.strategy import check_strategy
from strategies.random_search import RandomSearch

optuna = pytest.importorskip("optuna", reason="the extra optuna is not installed")

from strategies.bayesian.optuna_search import OptunaGaussianProcess, Tpe  # noqa: E402 - only where it is there

CONDITIONAL = Choices(
    [
        Choice("", "op", ("skip", "conv", "separable")),
        Choice("", "width", (8, 16, 24, 32), ("op", frozenset({"conv", "separable"}))),
        Choice("", "bits", (8, 4, 2), ("width", frozenset({16, 32}))),
        Choice("", "bias", (False, True)),
    ]
)
MADE: dict[str, StrategyFactory] = {
    "tpe": partial(Tpe, startup=5),
    "gp": partial(OptunaGaussianProcess, startup=5),
}


@pytest.mark.slow
def test_the_contract_is_kept() -> None:
    check_strategy(partial(Tpe, startup=2, memory=6), Choices([*CONDITIONAL[:2], CONDITIONAL[3]]))


def test_a_gaussian_process_survives_results_that_are_all_the_same() -> None:
    for fitness in (-1.0, 0.0, 1.0):
        strategy = OptunaGaussianProcess(CONDITIONAL, np.random.default_rng(0), startup=2)
        asked = []
        for _ in range(6):
            asked.append(strategy.ask())
            strategy.tell(asked[-1], (fitness,))
        assert len(set(asked)) == 6


@pytest.mark.parametrize("window", [1, pytest.param(6, marks=pytest.mark.slow)])
def test_a_gaussian_process_gives_one_sequence_a_seed_and_leaves_global_generators_alone(
    window: int,
) -> None:
    choices = Choices([Choice(f"stage{i}", "width", (1, 2, 4, 8, 16)) for i in range(4)])

    def asked(seed: int) -> list[Genotype]:
        strategy = OptunaGaussianProcess(choices, np.random.default_rng(seed), startup=5)
        proposals: list[Proposal] = []
        for step in range(11):
            while len(proposals) < step + window:
                proposals.append(strategy.ask())
            strategy.tell(proposals[step], (sum(proposals[step].genotype) / 16 - 0.5,))
        return [proposal.genotype for proposal in proposals]

    before = random.getstate(), str(np.random.get_state())  # noqa: NPY002
    assert asked(1) == asked(1) != asked(2)
    assert (random.getstate(), str(np.random.get_state())) == before  # noqa: NPY002
    assert len(set(asked(1))) == 10 + window


def regret(make: StrategyFactory, trials: int, limit: int) -> float:
    """The regret of the incumbent under a limit on the sum of genes, the mean of three seeds."""
    choices = Choices([Choice(f"stage{i}", "width", (1, 2, 4, 8)) for i in range(6)])
    worth = generator(5, "worth").random(6)
    objective = Objective(budget=Budget({"size": limit}))

    def submit(number: int, proposal: Proposal) -> Pending:
        genotype = proposal.genotype
        metrics = {"size": float(sum(genotype))}
        status = Status.OVER_BUDGET if metrics["size"] > limit else Status.OK
        if status is Status.OK:
            metrics["accuracy"] = float(np.dot(worth, genotype) / 30)
        evaluation = Evaluation(
            id=number,
            genotype=genotype,
            design={},
            status=status,
            reason="",
            metrics=metrics,
            seconds=0.0,
        )
        return lambda: evaluation

    found = []
    for seed in range(3):
        top = best(
            search(make(choices, np.random.default_rng(seed)), submit, objective, trials), objective
        )
        assert top is not None
        found.append(top.metrics["accuracy"])
    most = np.repeat(sorted(worth, reverse=True), 3)[:limit]
    return float(most.sum() / 30 - np.mean(found))


@pytest.mark.parametrize(
    ("name", "trials", "limit"),
    [("tpe", 60, 18), ("tpe", 60, 10), pytest.param("gp", 20, 18, marks=pytest.mark.slow)],
)
def test_it_beats_random_search(name: str, trials: int, limit: int) -> None:
    assert regret(MADE[name], trials, limit) < 0.6 * regret(RandomSearch, trials, limit)


def test_monotone_numbers_are_integer_parameters_and_conditions_hold() -> None:
    strategy: Any = Tpe(CONDITIONAL, np.random.default_rng(0))
    for _ in range(30):
        proposal = strategy.ask()
        strategy.tell(proposal, (0.5,))
    trials = strategy._study.get_trials(states=(optuna.trial.TrialState.COMPLETE,))
    assert {frozenset(trial.params) for trial in trials} == {
        frozenset({"op", "bias"}),
        frozenset({"op", "width", "bias"}),
        frozenset({"op", "width", "bits", "bias"}),
    }
    # Genes 1 and 3 of the width are 16 and 32.
    assert all(
        ("bits" in trial.params) is (trial.params.get("width") in (1, 3)) for trial in trials
    )
    names = [choice.name for choice in CONDITIONAL]
    kinds = {
        name: type(kind).__name__ for name, kind in zip(names, strategy._distributions, strict=True)
    }
    assert kinds == {
        "op": "CategoricalDistribution",
        "width": "IntDistribution",
        "bits": "IntDistribution",
        "bias": "CategoricalDistribution",
    }


def test_the_results_that_are_kept_are_the_best_and_the_newest() -> None:
    strategy: Any = Tpe(
        Choices([Choice("", "width", tuple(range(40)))]), np.random.default_rng(0), memory=4
    )
    for gene in range(9):
        strategy.tell(Proposal((gene,)), ((9 - gene) / 10,))
    kept = [trial.params["width"] for trial in strategy._study.get_trials()]
    assert kept == [0, 1, 7, 8]
    strategy.tell(Proposal((20,)), (0.5,))
    strategy.tell(Proposal((20,)), (0.5,))
    assert [trial.params["width"] for trial in strategy._study.get_trials()] == [0, 1, 7, 8, 20], (
        "a repeated result is ignored"
    )


def test_optuna_is_silent_and_its_verbosity_is_left_as_it_was(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    level, records = optuna.logging.get_verbosity(), list[logging.LogRecord]()
    handler = logging.Handler()
    monkeypatch.setattr(handler, "emit", records.append)
    logging.getLogger("optuna").addHandler(handler)
    try:
        strategy = Tpe(CONDITIONAL, np.random.default_rng(0))
        strategy.tell(strategy.ask(), (0.5,))
        assert records == []
        optuna.create_study()
        assert len(records) == 1
    finally:
        logging.getLogger("optuna").removeHandler(handler)
    assert optuna.logging.get_verbosity() == level


@pytest.mark.parametrize("make", [Tpe, OptunaGaussianProcess])
def test_numbers_out_of_range_are_refused(make: type[Tpe] | type[OptunaGaussianProcess]) -> None:
    with pytest.raises(ValueError, match="startup must be at least 1, but got 0"):
        make(CONDITIONAL, np.random.default_rng(0), startup=0)
    with pytest.raises(ValueError, match="memory must be at least 2, but got 1"):
        make(CONDITIONAL, np.random.default_rng(0), memory=1)


def test_without_optuna_it_says_how_to_get_it() -> None:
    program = "import sys; sys.modules['optuna'] = None; import strategies.bayesian.optuna_search"
    finished = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert finished.stderr.splitlines()[-1] == (
        "ImportError: this strategy needs Optuna, which is not installed: pip install 'compact-nas[optuna]'"
    )
