"""The optimizer, as it is fastest where a network is."""

from collections.abc import Sequence

import torch
from torch import nn


def adamw(
    parameters: Sequence[nn.Parameter], lr: float, weight_decay: float, device: torch.device
) -> torch.optim.AdamW:
    """AdamW (Loshchilov & Hutter, 2019) of parameters on a device, as one kernel.

    On a GPU of CUDA, its learning rate is a tensor, so that a step that was recorded follows the schedule.
    """
    capturable = device.type == "cuda"
    rate = torch.tensor(lr, device=device) if capturable else lr
    optimizer = torch.optim.AdamW(
        parameters, lr=rate, weight_decay=weight_decay, fused=True, capturable=capturable
    )
    # The first steps are not recorded, and all give the same whether they are or not.
    optimizer._warned_capturable_if_run_uncaptured = True
    return optimizer
