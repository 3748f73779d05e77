import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Literal

import pytest

from experiments.digits import DEFAULTS, digits
from experiments.options import SearchOptions
from nas.measure import BOARDS, OnnxRuntimeCpu, Roofline
from nas.objective import Status
from nas.runs.run import run
from nas.seeds import generator
from nas.soft_target import SoftTarget
from nas.training.stopping import MedianStop
from strategies.multi_fidelity.halving import Hyperband, SuccessiveHalving
from strategies.random_search import RandomSearch


def test_a_search_on_real_digits_finds_an_accurate_network_within_its_budget(
    tmp_path: Path,
) -> None:
    found = run(
        digits(SearchOptions(trials=4, size_bytes=4096, epochs=8, finetune_epochs=6)),
        tmp_path,
    )
    assert found.best is not None
    assert found.best.metrics["size_bytes"] <= 4096
    assert found.best.metrics["accuracy"] > 0.85
    assert found.test_accuracy is not None
    assert found.test_accuracy > 0.8
    assert [e.status for e in found.evaluations].count(Status.OK) == 4


def test_every_budget_reaches_the_objective() -> None:
    limited = digits(
        replace(
            DEFAULTS,
            size_bytes=4096,
            flash_bytes=5120,
            params=5000,
            macs=100000,
            peak_memory_bytes=2048,
        )
    )
    assert limited.objective.budget.limits == {
        "size_bytes": 4096,
        "flash_bytes": 5120,
        "params": 5000,
        "macs": 100000,
        "peak_memory_bytes": 2048,
    }
    timed = digits(replace(DEFAULTS, size_bytes=None, latency_ms=0.5, macs_per_second=2e8))
    assert timed.objective.budget.limits == {"latency_ms": 0.5}
    assert timed.device is not None
    with pytest.raises(
        ValueError, match="the budget of 'params' must be a positive number, but got -1"
    ):
        digits(replace(DEFAULTS, params=-1))


def test_a_board_limits_what_is_not_limited_more() -> None:
    limits = digits(replace(DEFAULTS, board="uno", flash_bytes=2000)).objective.budget.limits
    assert limits["flash_bytes"] == 2000
    assert limits["size_bytes"] == 4096
    assert limits["peak_memory_bytes"] == BOARDS["uno"].limits["peak_memory_bytes"]


def test_devices_are_named() -> None:
    assert digits().device is None
    assert isinstance(digits(replace(DEFAULTS, latency_ms=1.0)).device, Roofline)
    assert isinstance(digits(replace(DEFAULTS, target="onnxruntime")).device, OnnxRuntimeCpu)
    on_board = digits(replace(DEFAULTS, latency_ms=1.0, board="stm32f4")).device
    assert on_board == digits(replace(DEFAULTS, target="cortex-m4", board="stm32f4")).device
    assert on_board is not None
    assert on_board.name == "cortex-m4 at 180 MHz"
    assert isinstance(digits(replace(DEFAULTS, latency_ms=1.0, board="uno")).device, Roofline)
    with pytest.raises(
        ValueError,
        match=r"a target must be roofline, .* or a file that nas profile wrote, but got 'gpu'",
    ):
        digits(replace(DEFAULTS, target="gpu"))


def test_a_target_may_be_called_by_its_former_name() -> None:
    with pytest.warns(FutureWarning, match="device is called target now"):
        assert isinstance(digits(device="onnxruntime").device, OnnxRuntimeCpu)


def test_any_strategy_can_train_many_candidates_a_little_and_few_in_full() -> None:
    assert digits(replace(DEFAULTS, strategy="random")).strategy is RandomSearch
    wrappers: dict[Literal["halving", "hyperband"], type] = {
        "halving": SuccessiveHalving,
        "hyperband": Hyperband,
    }
    for fidelity, wrapper in wrappers.items():
        strategy = digits(
            replace(DEFAULTS, strategy="random", fidelity=fidelity, epochs=10, finetune_epochs=5)
        ).strategy
        assert isinstance(strategy, partial)
        assert (strategy.func, strategy.keywords) == (
            wrapper,
            {"strategy": RandomSearch, "epochs": 15},
        )


def test_a_size_can_be_aimed_at_and_training_given_up() -> None:
    aimed = digits(
        replace(
            DEFAULTS, size_bytes=None, target_bytes=2000, target_exponent=-0.5, median_stop=True
        )
    )
    assert (aimed.objective.minimize, aimed.objective.soft_target) == (
        (),
        SoftTarget("size_bytes", 2000, -0.5),
    )
    assert aimed.stop == MedianStop()
    assert (digits().objective.minimize, digits().objective.soft_target, digits().stop) == (
        ("size_bytes",),
        None,
        None,
    )


def test_strategies_of_an_extra_are_refused_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "strategies.bayesian.optuna_search", raising=False)
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(
        ValueError,
        match=r"must have its packages installed, but 'tpe' has not: this strategy needs Optuna, .*pip install",
    ):
        digits(replace(DEFAULTS, strategy="tpe"))


@pytest.mark.parametrize("name", ["tpe", "gp"])
def test_strategies_of_an_extra_search_with_it(name: Literal["tpe", "gp"]) -> None:
    pytest.importorskip("optuna", reason="the extra optuna is not installed")
    experiment = digits(replace(DEFAULTS, strategy=name))
    proposal = experiment.strategy(experiment.space.choices, generator(0, "strategy")).ask()
    assert experiment.space.choices.canonical(proposal.genotype) == proposal.genotype
