"""The only training loop, and the accuracy of what it trains."""

import math
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from nas.data import Split, Task
from nas.objective import Curve, Epoch
from nas.training.recipe import Recipe

Loss = Callable[[Tensor, Tensor, Tensor], Tensor]
"""From logits [N, classes], labels [N] and the samples' positions in the training split [N] to a
scalar.
"""


@runtime_checkable
class Watching(Protocol):
    """A loss that looks at more of a network than its logits."""

    def watching(
        self, student: nn.Module, example: Tensor
    ) -> AbstractContextManager[Iterable[nn.Parameter]]:
        """While this lasts, the loss sees the network; yields parameters that are trained with its
        own.
        """
        ...


def watched(
    loss: Loss, model: nn.Module, example: Tensor
) -> AbstractContextManager[Iterable[nn.Parameter]]:
    """What `watching` of a loss gives, or nothing for one that looks at logits alone."""
    return loss.watching(model, example) if isinstance(loss, Watching) else nullcontext(())


Stop = Callable[[Curve], bool]
"""Whether training ends early, looked at before each epoch with what the epochs before it reached.
"""

EVALUATION_BATCH = 256


@runtime_checkable
class Stepped(Protocol):
    """A part of a network that has something to do after every step of training."""

    def stepped(self, progress: float) -> None:
        """`progress` is the share of this phase's steps that are done, above 0; 1 when the phase is
        over.
        """
        ...


class DivergedError(ArithmeticError):
    """The training loss is no longer a finite number."""


def cross_entropy(logits: Tensor, labels: Tensor, index: Tensor) -> Tensor:  # noqa: ARG001 - hard labels need no position
    """The plain classification loss."""
    return nn.functional.cross_entropy(logits, labels)


def never(reached: Curve) -> bool:  # noqa: ARG001 - whatever it reached
    """The `Stop` of a candidate that is trained to the end."""
    return False


def fit(
    model: nn.Module,
    task: Task,
    recipe: Recipe,
    *,
    epochs: int,
    lr: float,
    loss: Loss,
    generator: torch.Generator,
    stop: Stop = never,
) -> tuple[Epoch, ...]:
    """Trains `model` in place with AdamW under a one-cycle schedule that ends near 0, and returns
    what each epoch reached.

    There are fewer than `epochs` of them if `stop` ends it.

    Raises:
        DivergedError: if the mean loss of an epoch is not finite.
    """
    if epochs == 0:
        for module in model.modules():
            if isinstance(module, Stepped):
                module.stepped(1.0)
        return ()
    with watched(loss, model, task.train.inputs[:2]) as extra:
        return _trained(model, task, recipe, epochs, lr, loss, generator, stop, extra)


def _trained(
    model: nn.Module,
    task: Task,
    recipe: Recipe,
    epochs: int,
    lr: float,
    loss: Loss,
    generator: torch.Generator,
    stop: Stop,
    extra: Iterable[nn.Parameter],
) -> tuple[Epoch, ...]:
    train, count = task.train, len(task.train.labels)
    # Convolutions run a quarter faster with their channels last.
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    batches = min(math.ceil(count / recipe.batch_size), count // 2)
    optimizer = torch.optim.AdamW(
        [*model.parameters(), *extra], lr=lr, weight_decay=recipe.weight_decay, fused=True
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, lr, total_steps=epochs * batches + 1, cycle_momentum=False
    )
    stepped = [module for module in model.modules() if isinstance(module, Stepped)]
    history: list[Epoch] = []
    done = 0
    for _ in range(epochs):
        if stop(history):
            break
        model.train()
        total = torch.zeros(())
        # Batches of nearly equal size: a last batch of one sample would break batch normalization.
        for index in torch.randperm(count, generator=generator).tensor_split(batches):
            optimizer.zero_grad(set_to_none=True)
            value = loss(model(train.inputs[index]), train.labels[index], index)
            value.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
            done += 1
            for module in stepped:
                module.stepped(done / (epochs * batches))
            total += value.detach() * len(index)
        # Read once an epoch, because every read waits for the device.
        mean = float(total) / count
        if not math.isfinite(mean):
            raise DivergedError(
                f"the training loss must stay finite, but got {mean} in epoch {len(history) + 1} of {epochs}"
            )
        history.append(Epoch(mean, accuracy(model, task.validation)))
    return tuple(history)


def logits(model: nn.Module, inputs: Tensor) -> Tensor:
    """What the model says in evaluation mode, [N, classes]."""
    model.eval()
    with torch.inference_mode():
        return torch.cat([model(batch) for batch in torch.split(inputs, EVALUATION_BATCH)])


def accuracy(model: nn.Module, split: Split) -> float:
    """The share of samples, 0 to 1, whose highest logit is that of their label."""
    return int((logits(model, split.inputs).argmax(1) == split.labels).sum()) / len(split.labels)
