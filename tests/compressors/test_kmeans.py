import numpy as np
import pytest

from compressors import kmeans
from compressors.kmeans import cluster


def test_centers_by_hand() -> None:
    values = np.array([5.0, 0.0, 1.0, 6.0, 0.2, 5.5])
    centers, found = cluster(values, 2)
    assert centers.tolist() == pytest.approx([0.4, 5.5])
    assert found.tolist() == [1, 0, 0, 1, 0, 1]


def test_centers_begin_evenly_between_the_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kmeans, "ROUNDS", 0)
    assert cluster(np.array([5.0, -3.0, 0.0]), 5)[0].tolist() == [-3.0, -1.0, 1.0, 3.0, 5.0]


def test_centers_are_where_nothing_moves_and_no_cluster_is_empty() -> None:
    values = np.random.default_rng(0).standard_t(
        2, 3000
    )  # a few far out: most even starts are nearest to nothing
    for entries in (2, 5, 32, 256):
        centers, found = cluster(values, entries)
        counts = np.bincount(found, minlength=entries)
        assert len(centers) == entries
        assert counts.min() >= 1
        assert (np.diff(centers) > 0).all()
        nearest = np.abs(values[:, np.newaxis] - centers).argmin(1)
        assert (np.abs(values - centers[found]) <= np.abs(values - centers[nearest]) + 1e-12).all()
    means = np.bincount(found, values) / counts
    assert np.abs(means - centers).max() < 0.05 * values.std()


def test_more_entries_are_nearer_and_few_beat_even_ones() -> None:
    values = np.random.default_rng(0).normal(size=5000)

    def error(entries: int) -> float:
        centers, found = cluster(values, entries)
        return float(((values - centers[found]) ** 2).mean())

    errors = [error(entries) for entries in (2, 4, 16, 64)]
    assert errors == sorted(errors, reverse=True)
    # Errors of the optimal quantizers of a normal distribution (Max, 1960), of 2 and 4 levels.
    assert errors[:2] == pytest.approx([0.3634, 0.1175], rel=0.05)


def test_fewer_different_weights_than_entries_are_kept_as_they_are() -> None:
    values = np.array([1.0, 1.0, -2.0, 3.0])
    centers, found = cluster(values, 8)
    assert centers[found].tolist() == values.tolist()
