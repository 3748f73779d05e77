from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from experiments.images import DEFAULTS, images
from nas.objective import Status
from nas.runs.run import run
from strategies.multi_fidelity.halving import Hyperband, SuccessiveHalving
from strategies.random_search import RandomSearch


@pytest.fixture
def archive(tmp_path: Path) -> str:
    """Images of 12x12 pixels in three classes, which a bright row tells apart."""
    rng = np.random.default_rng(0)
    labels = np.arange(150) % 3
    inputs = rng.random((150, 12, 12), np.float32) / 2
    inputs[np.arange(150), 4 * labels] += 0.5
    path = tmp_path / "rows.npz"
    np.savez(path, inputs=inputs, labels=labels)
    return str(path)


def test_a_search_begins_with_networks_made_by_hand_and_keeps_its_limits(
    archive: str, tmp_path: Path
) -> None:
    experiment = images(
        archive,
        replace(
            DEFAULTS,
            size_bytes=900,
            trials=2,
            samples=60,
            epochs=10,
            finetune_epochs=5,
            fidelity="full",
        ),
    )
    assert len(experiment.search_task.train.labels) == 60
    found = run(experiment, tmp_path / "run")
    assert [each.status for each in found.evaluations] == [Status.OK] * 2
    assert found.evaluations[0].design["stage0.halving"] == "pool"
    assert found.best is not None
    assert found.best.metrics["size_bytes"] <= 900
    assert found.best.metrics["accuracy"] > 0.5


def test_limits_and_fidelities_are_those_that_are_asked_for(archive: str) -> None:
    limited = images(
        archive,
        replace(DEFAULTS, size_bytes=1500, macs=200_000, flash_bytes=2_000),
        warm_start=False,
    )
    assert limited.objective.budget.limits == {
        "size_bytes": 1500,
        "flash_bytes": 2_000,
        "macs": 200_000,
    }
    whole = images(archive, replace(DEFAULTS, strategy="random", fidelity="full"), warm_start=False)
    assert whole.strategy is RandomSearch
    for fidelity, kind in (("halving", SuccessiveHalving), ("hyperband", Hyperband)):
        strategy = images(archive, replace(DEFAULTS, fidelity=fidelity), warm_start=False).strategy  # type: ignore[arg-type]
        assert isinstance(strategy, partial)
        assert strategy.func is kind


def test_a_supernet_is_trained_where_it_has_epochs(archive: str) -> None:
    assert images(archive, warm_start=False).supernet is None
    shared = images(archive, warm_start=False, supernet_epochs=3).supernet
    assert shared is not None
    assert shared.epochs == 3
    with pytest.raises(ValueError, match="at least 1 epoch, but got -1"):
        images(archive, supernet_epochs=-1)


def test_small_networks_are_trained_faster(archive: str) -> None:
    small, large = (
        images(archive, replace(DEFAULTS, size_bytes=size), warm_start=False).recipe
        for size in (700, 16_000)
    )
    assert small.lr == 2e-2
    assert 5e-3 < large.lr < small.lr
