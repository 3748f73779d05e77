"""Mixed precision, where it is worth something and changes nothing that is counted."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial

import torch
from torch import nn

from nas.quantize import ActivationQuantizer
from nas.quantize.integer_layer import IntegerLayer

MIXED_PARAMETERS = 1_000_000
"""From so many parameters on, matrix products take most of a step's time, and bfloat16 pays."""


def is_mixed(model: nn.Module, device: torch.device) -> bool:
    """Whether a network is trained in bfloat16, with weights in 32-bit floats: on a GPU of CUDA, with
    `MIXED_PARAMETERS` or more, and nothing quantized, whose levels bfloat16 could not tell apart.
    """
    return (
        device.type == "cuda"
        and sum(each.numel() for each in model.parameters()) >= MIXED_PARAMETERS
        and not any(
            isinstance(each, (ActivationQuantizer, IntegerLayer)) for each in model.modules()
        )
    )


def mixed_precision(
    model: nn.Module, device: torch.device
) -> Callable[[], AbstractContextManager[object]]:
    """Makes the context in which a network computes in training."""
    if not is_mixed(model, device):
        return nullcontext
    # Weights are converted anew each time: a recorded step must not keep what was converted before.
    return partial(torch.autocast, "cuda", torch.bfloat16, cache_enabled=False)
