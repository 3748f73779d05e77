from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

Arrays = dict[str, NDArray[Any]]


@pytest.fixture
def arrays() -> Arrays:
    """A made-up table of 3 · 4 · 2 designs: accuracy grows with the genes, and so do cost and latency."""
    ops = np.array([*product(range(3), range(4), range(2))], np.int8)
    worth = ops @ np.array([8.0, 2.0, 1.0])
    return {
        "ops": ops,
        "val_acc_2ep": 40 + worth,
        "test_acc_9ep": 60 + worth,
        "train_seconds_2ep": 10.0 + ops[:, 0],
        "params": 100 * (1 + ops.sum(1)),
        "latency_ms_board": 1.0 + ops[:, 1],
    }


@pytest.fixture
def path(tmp_path: Path, arrays: Arrays) -> Path:
    np.savez(tmp_path / "made_up.npz", allow_pickle=False, **arrays)
    return tmp_path / "made_up.npz"
