from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from nas.tabular.benchmark import is_fact, read_benchmark

Arrays = dict[str, NDArray[Any]]
WANTED = ("val_acc_2ep", "test_acc_9ep")


def saved(path: Path, arrays: Arrays) -> Path:
    np.savez(path, allow_pickle=True, **arrays)
    return path


def test_a_table_has_its_designs_the_columns_asked_for_their_cost_and_all_facts(
    path: Path, arrays: Arrays
) -> None:
    table = read_benchmark(path, WANTED)
    assert table.name == "made_up.npz"
    assert table.choices.arities == (3, 4, 2)
    assert set(table.columns) == {*WANTED, "train_seconds_2ep", "params", "latency_ms_board"}
    assert len(table.rows) == 24
    for genotype, row in table.rows.items():
        assert genotype == tuple(arrays["ops"][row])
        assert all(type(gene) is int for gene in genotype)
    np.testing.assert_array_equal(table.columns["params"], arrays["params"])
    assert read_benchmark(path, ["test_acc_9ep"]).columns.keys() == {
        "test_acc_9ep",
        "params",
        "latency_ms_board",
    }


def test_rows_may_come_in_any_order_and_designs_may_be_missing(
    tmp_path: Path, arrays: Arrays
) -> None:
    kept = np.random.default_rng(0).permutation(24)[:20]
    table = read_benchmark(
        saved(tmp_path / "some.npz", {name: array[kept] for name, array in arrays.items()}), WANTED
    )
    assert table.choices.arities == (3, 4, 2)
    assert len(table.rows) == 20 < table.choices.size
    for genotype, row in table.rows.items():
        assert table.columns["val_acc_2ep"][row] == 40 + np.dot(genotype, (8, 2, 1))


def test_facts_are_known_by_their_names() -> None:
    assert all(
        map(is_fact, ("params", "macs", "latency_ms_raspi4", "latency_ms_board", "flash_bytes"))
    )
    assert not any(
        map(is_fact, ("val_acc_2ep", "test_acc_9ep", "train_seconds_2ep", "parameters", "macs200"))
    )


def test_tables_that_are_none_are_refused(tmp_path: Path, arrays: Arrays) -> None:
    changed: dict[str, tuple[Arrays, str]] = {
        "twice": (
            {"ops": np.array([[0, 1], [1, 0], [0, 1]])},
            r"unique, but \(0, 1\) occurs 2 times",
        ),
        "few": ({"ops": np.array([[0, 1]])}, "at least 2 rows, but has 1"),
        "flat": ({"ops": np.arange(3)}, r"integers \[rows, choices\], but has int64 \[3\]"),
        "no genes": (
            {"ops": np.zeros((3, 0), int)},
            r"integers \[rows, choices\], but has int64 \[3, 0\]",
        ),
        "floats": ({"ops": np.eye(3)}, r"integers \[rows, choices\], but has float64 \[3, 3\]"),
        "negative": (
            {"ops": np.array([[0, 1], [-1, 0]])},
            "0 or more, but its smallest value is -1",
        ),
        "nan": (
            {"val_acc_2ep": np.array([1.0, np.nan] * 12)},
            "'val_acc_2ep' in .* must be finite, but is nan in row 1",
        ),
        "infinite fact": (
            {"params": np.array([np.inf] * 24)},
            "'params' in .* must be finite, but is inf in row 0",
        ),
        "negative fact": (
            {"params": np.array([5.0, -1.0] * 12)},
            r"'params' in .* must be 0 or more, but its smallest value is -1\.0",
        ),
        "stray": (
            {"ops": np.array([[0, 1], [1, 0], [2, 99]])},
            "column 1 of 'ops' in .* every option from 0 to its largest, 99, but never has 2",
        ),
        "short": ({"test_acc_9ep": np.ones(23)}, "a value for each of 24 rows, but has 23"),
        "text": (
            {"test_acc_9ep": np.array(["a"] * 24)},
            "a numerical column 'test_acc_9ep', but has .*'val_acc_2ep'",
        ),
        "free": ({"train_seconds_2ep": np.zeros(24)}, r"above 0, but its smallest value is 0\.0"),
        "pickle": ({"params": np.array([{}] * 24)}, "without pickles, but .* cannot be read"),
    }
    for name, (change, message) in changed.items():
        with pytest.raises(ValueError, match=message):
            read_benchmark(saved(tmp_path / f"{name}.npz", arrays | change), WANTED)


def test_a_missing_column_and_missing_genotypes_are_refused(
    path: Path, tmp_path: Path, arrays: Arrays
) -> None:
    with pytest.raises(
        ValueError, match=r"a numerical column 'val_acc_3ep', but has .*'val_acc_2ep'"
    ):
        read_benchmark(path, ["val_acc_3ep"])
    del arrays["ops"]
    with pytest.raises(ValueError, match=r"'ops', integers \[rows, choices\], but has none"):
        read_benchmark(saved(tmp_path / "x.npz", arrays), WANTED)


def test_what_is_no_archive_is_refused(path: Path, tmp_path: Path) -> None:
    whole = path.read_bytes()
    flipped = whole[:300] + bytes([whole[300] ^ 255]) + whole[301:]
    broken = {"text": b"val_acc", "empty": b"", "cut": whole[:-200], "flipped": flipped}
    for name, content in broken.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match=f"{name} cannot be read"):
            read_benchmark(tmp_path / name, WANTED)
    np.save(tmp_path / "single.npy", np.ones(3))
    with pytest.raises(ValueError, match=r"single\.npy cannot be read"):
        read_benchmark(tmp_path / "single.npy", WANTED)
    for name, state in (("nowhere", "missing"), ("", "not a file")):
        with pytest.raises(ValueError, match=f"is {state}"):
            read_benchmark(tmp_path / name, WANTED)
