"""The optimizer and how its learning rate falls; AdamW as it is fastest where a network is."""

import math
from collections.abc import Sequence

import torch
from torch import nn

from nas.training.recipe import Recipe


def optimizer_of(
    recipe: Recipe, parameters: Sequence[nn.Parameter], lr: float, device: torch.device
) -> torch.optim.Optimizer:
    """The optimizer of a recipe; only `adamw` may be recorded on a GPU."""
    decay, momentum = recipe.weight_decay, recipe.momentum
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(
            parameters, lr, momentum=momentum, weight_decay=decay, nesterov=momentum > 0.0
        )
    if recipe.optimizer == "rmsprop":
        return torch.optim.RMSprop(parameters, lr, momentum=momentum, weight_decay=decay)
    return adamw(parameters, lr, decay, device)


def schedule_of(
    recipe: Recipe, optimizer: torch.optim.Optimizer, lr: float, steps: int
) -> torch.optim.lr_scheduler.LRScheduler:
    """The schedule of a recipe for so many steps, whose learning rate is `lr` at most."""
    if recipe.schedule == "one_cycle":
        return torch.optim.lr_scheduler.OneCycleLR(
            optimizer, lr, total_steps=steps + 1, cycle_momentum=False
        )
    rising = round(recipe.warm_up * steps)

    def factor(step: int) -> float:
        if step < rising:
            return (step + 1) / (rising + 1)
        done = (step - rising) / max(1, steps - rising)
        if recipe.schedule == "cosine":
            return 0.5 * (1.0 + math.cos(math.pi * min(done, 1.0)))
        return 1.0 if done < 0.5 else 0.1 if done < 0.75 else 0.01

    return torch.optim.lr_scheduler.LambdaLR(optimizer, factor)


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
