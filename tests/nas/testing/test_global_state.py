import random
import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest
import torch

from nas.testing.global_state import global_states

CHANGES: dict[str, Callable[[], object]] = {
    "random": random.random,
    "numpy.random": np.random.random,
    "torch": lambda: torch.rand(1),
    "torch.get_default_dtype()": lambda: torch.set_default_dtype(torch.float64),
    "torch.is_grad_enabled()": lambda: torch.set_grad_enabled(False),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_shows_under_its_name_only(name: str) -> None:
    before = global_states()
    try:
        CHANGES[name]()
        after = global_states()
    finally:
        torch.set_default_dtype(torch.float32)
        torch.set_grad_enabled(True)
    assert [key for key, state in after.items() if state != before[key]] == [name]


def test_torch_is_not_imported_for_it() -> None:
    program = "import sys; from nas.testing.global_state import global_states as g; "
    program += "assert set(g()) == {'random', 'numpy.random'} and 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True)
