"""The global state that a tested part must not change."""

import random
import sys
from collections.abc import Mapping

import numpy as np


def global_states() -> Mapping[str, object]:
    """The states of the global generators and settings by name, comparable by `==`.

    Those of torch are included only if torch has been imported, so that a check without networks
    does not wait for its import.
    """
    kind, keys, *rest = np.random.get_state()  # noqa: NPY002 - parts under test may draw from it
    states: dict[str, object] = {
        "random": random.getstate(),
        "numpy.random": (kind, np.asarray(keys).tolist(), *rest),
    }
    torch = sys.modules.get("torch")
    if torch is not None:
        states |= {
            "torch": torch.get_rng_state().tolist(),
            "torch.get_default_dtype()": torch.get_default_dtype(),
            "torch.is_grad_enabled()": torch.is_grad_enabled(),
            "torch.get_num_threads()": torch.get_num_threads(),
        }
    return states
