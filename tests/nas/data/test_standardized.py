from pathlib import Path

import numpy as np
import pytest
import torch

from nas.data import DataError, standardized
from nas.data.load import load_task
from nas.data.scored import held_out, load_scored
from nas.seeds import generator

LABELS = np.arange(60) % 3


def rng() -> np.random.Generator:
    return generator(0, "data")


def test_features_are_standardized_by_training_samples(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal([5.0, -1.0, 2.0], [10.0, 0.1, 0.0], (60, 3))
    values[3, 0] = np.nan
    task = standardized("table", values, LABELS, ("a", "b", "c"), rng())
    train = task.train.inputs
    assert train.shape == (36, 3)
    assert train.mean(0).abs().max() < 0.2
    assert (train[:, :2].std(0, correction=0) - 1).abs().max() < 0.1
    assert not train[:, 2].any()  # a constant stays 0
    inputs = torch.cat([task.train.inputs, task.validation.inputs, task.test.inputs])
    assert float(inputs.abs().max()) <= 4.0
    assert int((inputs[:, 0] == 0.0).sum()) == 1  # the missing one


def test_channels_are_standardized_over_time() -> None:
    values = np.random.default_rng(0).normal(0.0, 1.0, (60, 2, 8)) * [[[3.0], [0.1]]]
    train = standardized("signals", values, LABELS, None, rng()).train.inputs
    assert torch.allclose(train.std((0, 2), correction=0), torch.ones(2), atol=0.02)


def test_values_that_cannot_be_scaled_are_refused() -> None:
    with pytest.raises(DataError, match="t must hold finite values, but sample 0 holds inf"):
        standardized("t", np.full((60, 1), np.inf), LABELS, None, rng())
    with pytest.raises(DataError, match="must have a feature besides the labels"):
        standardized("t", np.empty((60, 0)), LABELS, None, rng())


def test_tables_and_signals_are_loaded_and_scored_with_their_run(tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    table.write_text("x,label\n" + "".join(f"{n},{n % 2}\n" for n in range(40)))
    signals = tmp_path / "s.npz"
    one_hot = np.eye(3, dtype=np.int64)[LABELS]
    np.savez(signals, signals=np.random.default_rng(0).random((60, 2, 8)), labels=one_hot)
    for path, shape, names in ((table, (1, 1), ("0", "1")), (signals, (1, 2, 8), None)):
        task = load_task(str(path), rng())
        assert (task.example.shape, task.class_names) == (shape, names)
        found = held_out(str(path), task.digest)
        assert found is not None
        assert torch.equal(found.split.inputs, task.test.inputs)
        assert held_out(str(path), "another") is None
        with pytest.raises(DataError, match="must be scored with the run that searched on it"):
            load_scored(str(path), shape[1:], task.classes)


def test_signals_of_another_shape_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "s.npz", signals=np.zeros((4, 2)), labels=np.arange(4))
    with pytest.raises(DataError, match=r"must be numbers \[N, C, T\]"):
        load_task(str(tmp_path / "s.npz"), rng())


def test_labels_of_one_column_are_indices(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", inputs=np.zeros((30, 4)), labels=(np.arange(30) % 3)[:, None])
    assert load_task(str(tmp_path / "d.npz"), rng()).classes == 3
