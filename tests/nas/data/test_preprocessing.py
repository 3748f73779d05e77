"""Tasks say how raw values became their inputs, and what is scored is prepared so."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from nas.data import DataError, breast_cancer, digits, read_csv
from nas.data.files import PIXELS
from nas.data.load import load_task
from nas.data.scored import load_scored
from nas.preprocessing import Preprocessing
from nas.seeds import generator

LABELS = np.arange(60) % 3


def saved(path: Path, **arrays: Any) -> str:
    np.savez(path, labels=LABELS, **arrays)
    return str(path)


def test_images_are_divided_by_the_largest(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (60, 1, 4, 4), np.uint8)
    rng = generator(0, "data")
    assert load_task(saved(tmp_path / "a.npz", inputs=pixels), rng).preprocessing == PIXELS
    floats = saved(tmp_path / "b.npz", inputs=pixels.astype(np.float32))
    assert load_task(floats, rng).preprocessing is None
    assert digits(rng).preprocessing == Preprocessing("uint8", deviation=(16.0,))


def test_a_table_has_a_mean_and_a_deviation_for_each_column(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    values = rng.normal([5.0, -1.0], [10.0, 0.1], (60, 2))
    rows = [f"{a!r},{b!r},{label}" for (a, b), label in zip(values.tolist(), LABELS, strict=True)]
    path = tmp_path / "table.csv"
    path.write_text("\n".join(["a,b,class", *rows]))
    task = load_task(str(path), generator(0, "data"))
    assert task.preprocessing is not None
    assert task.preprocessing.limit == 4.0
    raw, _, _ = read_csv(path)
    inputs = torch.cat([task.train.inputs, task.validation.inputs, task.test.inputs]).numpy()
    found = task.preprocessing.apply(raw)
    np.testing.assert_allclose(
        inputs[np.argsort(inputs[:, 0])], found[np.argsort(found[:, 0])], atol=1e-6
    )


@pytest.mark.parametrize("dtype", ["int16", "uint8", "float32"])
def test_signals_keep_the_type_of_their_samples(dtype: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    signals = (rng.random((60, 2, 8)) * [[[200.0], [90.0]]]).astype(dtype)
    path = saved(tmp_path / "s.npz", signals=signals)
    task = load_task(path, generator(0, "data"))
    assert task.preprocessing is not None
    assert (task.preprocessing.raw, task.preprocessing.channels) == (dtype, 2)
    scored = load_scored(path, (2, 8), 3, preprocessing=task.preprocessing).split
    np.testing.assert_array_equal(scored.inputs, task.preprocessing.apply(signals))


def test_measurements_of_the_shipped_table_are_standardized_again() -> None:
    task = breast_cancer(generator(0, "data"))
    assert task.preprocessing is not None
    raw = task.preprocessing.undo(task.train.inputs.numpy())
    again = task.preprocessing.apply(raw)
    np.testing.assert_allclose(again, task.train.inputs, atol=1e-5)


def test_constants_beyond_32_bits_are_not_told(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(1e100, 1e90, (60, 1, 4))
    task = load_task(saved(tmp_path / "s.npz", signals=values), generator(0, "data"))
    assert task.preprocessing is None


def test_what_is_scored_is_prepared_as_the_network_reads_it(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (60, 1, 4, 4), np.uint8)
    path, one = saved(tmp_path / "a.npz", inputs=pixels), Preprocessing("uint8", (33.0,), (79.0,))
    found = load_scored(path, (1, 4, 4), 3, preprocessing=one).split.inputs
    np.testing.assert_array_equal(found, one.apply(pixels))
    same = load_scored(path, (1, 4, 4), 3, preprocessing=PIXELS).split.inputs
    assert torch.equal(same, load_scored(path, (1, 4, 4), 3).split.inputs)
    with pytest.raises(DataError, match="must hold float32, which the network reads, but holds"):
        load_scored(path, (1, 4, 4), 3, preprocessing=Preprocessing("float32", (1.0,)))
