from pathlib import Path

import numpy as np
import pytest

from experiments.options import SearchOptions
from experiments.series import series
from experiments.table import table
from nas.cli.score import score_file
from nas.runs.export import export
from nas.runs.run import run


def write_table(path: Path) -> str:
    """Two columns of numbers, of which the first tells three classes apart."""
    rng = np.random.default_rng(0)
    rows = [f"{n % 3 + 0.1 * rng.normal():.3f},{rng.normal():.3f},c{n % 3}\n" for n in range(150)]
    path.write_text("x,y,label\n" + "".join(rows))
    return str(path)


def write_signals(path: Path) -> str:
    """Waves of three frequencies."""
    rng = np.random.default_rng(0)
    labels, time = np.arange(150) % 3, np.arange(32)
    waves = np.sin((labels[:, None] + 1) * time / 4 + rng.random((150, 1)))
    np.savez(path, signals=waves[:, None] + 0.1 * rng.normal(size=(150, 1, 32)), labels=labels)
    return str(path)


@pytest.mark.slow
def test_a_table_is_searched_and_its_file_scored(tmp_path: Path) -> None:
    data = write_table(tmp_path / "t.csv")
    experiment = table(
        data,
        SearchOptions(size_bytes=400, trials=1, epochs=8, finetune_epochs=2, strategy="random"),
    )
    found = run(experiment, tmp_path / "run")
    assert found.best is not None
    assert found.best.metrics["size_bytes"] <= 400
    export(tmp_path / "run", "best", "packed", tmp_path / "best.nas")
    scored = score_file(tmp_path / "best.nas", data, tmp_path / "run")
    assert scored["samples"] == 30
    assert scored["accuracy"] > 0.4


def test_signals_are_searched(tmp_path: Path) -> None:
    data = write_signals(tmp_path / "s.npz")
    options = SearchOptions(
        size_bytes=4096, macs=100_000, trials=1, epochs=4, finetune_epochs=2, strategy="random"
    )
    experiment = series(data, options)
    found = run(experiment, tmp_path / "run")
    assert found.best is not None
    assert found.best.metrics["size_bytes"] <= 4096
    assert experiment.objective.budget.limits == {"size_bytes": 4096, "macs": 100_000}


def test_data_of_another_kind_is_refused(tmp_path: Path) -> None:
    rows, signals = write_table(tmp_path / "t.csv"), write_signals(tmp_path / "s.npz")
    with pytest.raises(ValueError, match="must hold signals, but its samples are"):
        series(rows)
    with pytest.raises(ValueError, match="must be a table, but its samples are"):
        table(signals)
