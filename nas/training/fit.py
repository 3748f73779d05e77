"""The training loop, and the accuracy of what it trains."""

import math
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from nas.data import Split, Task
from nas.objective import Curve, Epoch
from nas.training.accelerator import placed
from nas.training.augmentation import Augmentation
from nas.training.averaging import WeightAverage
from nas.training.captured_step import CapturedStep, pays
from nas.training.in_place import rectified_in_place
from nas.training.memory_format import to_fastest_format
from nas.training.optimizer import optimizer_of, schedule_of
from nas.training.precision import is_mixed, mixed_precision
from nas.training.recipe import Recipe
from nas.training.smoothing import smoothed
from nas.training.views import Views, shown

EVALUATION_BATCH = 256
IMAGE_BATCH = 128
"""Of images on a CPU: what layers pass on is then small enough for its memory to be used again by the
next layer, instead of being given back to the system, which takes 14 to 31 % off.
"""
ACCELERATED_BATCH = 2048
"""On a GPU, where each batch costs as much time to launch as many samples do to compute."""

Loss = Callable[[Tensor, Tensor, Tensor], Tensor]
"""From logits [N, classes], labels [N] and the positions of the samples in the training split, [N],
to a scalar. Under label smoothing, labels are the shares of all classes, [N, classes]; positions are
those in the views of a `ViewedLoss`, where there are any.
"""

Stop = Callable[[Curve], bool]
"""Whether training ends early; called before each epoch with the curve of the epochs before it."""


@runtime_checkable
class AttachedLoss(Protocol):
    """A loss that reads more of a network than its logits, such as features inside of it."""

    def attached(
        self, student: nn.Module, example: Tensor
    ) -> AbstractContextManager[Iterable[nn.Parameter]]:
        """A context in which the loss reads the network; yields parameters of the loss, to be
        trained with those of the network.
        """
        ...


def attached(
    loss: Loss, model: nn.Module, example: Tensor
) -> AbstractContextManager[Iterable[nn.Parameter]]:
    """The context in which a loss is computed: its own if it is an `AttachedLoss`, or an empty one
    without parameters.

    `example` is a batch of inputs, [N, …].
    """
    return loss.attached(model, example) if isinstance(loss, AttachedLoss) else nullcontext(())


@runtime_checkable
class ViewedLoss(Protocol):
    """A loss that knows the samples, so that it must know their variants, such as one with the
    answers of a teacher.
    """

    def viewed(self, augmentation: Augmentation) -> tuple[Loss, Views | None]:
        """The loss for fixed variants of the samples by `augmentation`, and these variants; None if
        any variant will do.
        """
        ...


def viewed(loss: Loss, augmentation: Augmentation) -> tuple[Loss, Views | None]:
    """The loss of samples that are varied by `augmentation`, and the variants that it knows if it is
    a `ViewedLoss`.
    """
    if augmentation.is_off or not isinstance(loss, ViewedLoss):
        return loss, None
    return loss.viewed(augmentation)


@runtime_checkable
class PlacedLoss(Protocol):
    """A loss that holds tensors, such as the answers of a teacher."""

    def to(self, device: torch.device) -> Loss:
        """The same loss of networks on a device."""
        ...


def on_device(loss: Loss, device: torch.device) -> Loss:
    """The loss of networks on a device."""
    return loss.to(device) if isinstance(loss, PlacedLoss) and device.type != "cpu" else loss


@runtime_checkable
class AfterStep(Protocol):
    """A module inside of a network that acts after every step of the optimizer, such as a mask."""

    def after_step(self, progress: float) -> None:
        """Called with the share of the steps of this training phase that are done, above 0 and up
        to 1; once, with 1, in a phase without steps; and again with the same share after weights
        were averaged.
        """
        ...


class DivergedError(ArithmeticError):
    """The training loss is not a finite number."""


def cross_entropy(logits: Tensor, labels: Tensor, index: Tensor) -> Tensor:  # noqa: ARG001 - hard labels need no position
    """The mean cross-entropy of logits [N, classes] and labels [N]."""
    return nn.functional.cross_entropy(logits, labels)


def never(reached: Curve) -> bool:  # noqa: ARG001 - whatever it reached
    """The `Stop` of training that goes to its end."""
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
    captured: bool = True,
) -> tuple[Epoch, ...]:
    """Trains `model` in place, with a schedule that peaks at `lr`, and returns what each epoch
    reached: `epochs` of them, or fewer if `stop` ends training.

    Optimizer, schedule, batch size, weight decay, label smoothing, augmentation and averaging of weights are those of
    `recipe`; `generator` shuffles the samples and varies them. An epoch whose accuracy `recipe` leaves
    out has None in the curve; the last one always has it, also where `stop` made it the last.

    It is trained where the samples of `task` are, and then is where it was. On a GPU of CUDA, steps are
    recorded and launched as a whole if `captured` and the optimizer is AdamW, which changes no result, and a large network of
    floats computes in bfloat16, as `is_mixed` says.

    Raises:
        ValueError: if samples or loss do not go with the augmentation.
        DivergedError: if the mean loss of an epoch is not finite.
        RuntimeError: on a GPU, if the network has an operation without a deterministic kernel.
    """
    after_step = _after_step(model)
    if epochs == 0:
        after_step(1.0)
        return ()
    train, count = task.train, len(task.train.labels)
    device = train.inputs.device
    batches = min(math.ceil(count / recipe.batch_size), count // 2)
    loss, views = viewed(on_device(loss, device), recipe.augmentation)
    show = shown(train.inputs, recipe.augmentation, views, generator)
    history: list[Epoch] = []
    with placed(model, device):
        to_fastest_format(model, train.inputs[:2].clone())
        with (
            attached(loss, model, train.inputs[:2].clone()) as extra,
            rectified_in_place(model, train.inputs[:2]),
        ):
            optimizer = optimizer_of(recipe, [*model.parameters(), *extra], lr, device)
            schedule = schedule_of(recipe, optimizer, lr, epochs * batches)
            average = WeightAverage(model, recipe.ema)
            total = torch.zeros((), device=device)
            mixed, precision = is_mixed(model, device), mixed_precision(model, device)

            def train_on(index: Tensor, drawn: Tensor) -> None:
                optimizer.zero_grad(set_to_none=True)
                images, position = show.images(index, drawn)
                labels = smoothed(train.labels[index], task.classes, recipe.label_smoothing)
                with precision():
                    outputs = model(images)
                value = loss(outputs.float() if mixed else outputs, labels, position)
                value.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
                total.add_(value.detach() * len(index))

            step = (
                CapturedStep(train_on)
                if captured and recipe.optimizer == "adamw" and pays(device, epochs * batches)
                else train_on
            )

            def validated(epoch: Epoch) -> Epoch:
                if recipe.ema > 0.0:
                    average.swap_in()
                    after_step(
                        len(history) / epochs
                    )  # such as a mask that changed since it was averaged
                return Epoch(epoch.loss, accuracy(model, task.validation))

            while len(history) < epochs and not stop(history):
                average.swap_out()
                model.train()
                total.zero_()
                # Batches of nearly equal size, because batch normalization needs two samples and the
                # rest of a division may be one.
                shuffled = torch.randperm(count, generator=generator).tensor_split(batches)
                drawn = [show.draw(len(index)) for index in shuffled]
                there = [
                    torch.cat(each).to(device).tensor_split(batches) for each in (shuffled, drawn)
                ]
                for number, batch in enumerate(
                    zip(*there, strict=True), len(history) * batches + 1
                ):
                    step(*batch)
                    schedule.step()
                    after_step(number / (epochs * batches))
                    average.update()
                # Read once an epoch, because every read waits for the device.
                mean = float(total) / count
                if not math.isfinite(mean):
                    raise DivergedError(
                        f"the training loss must stay finite, but got {mean} in epoch {len(history) + 1} of {epochs}"
                    )
                history.append(Epoch(mean, None))
                if len(history) % recipe.validate_every == 0:
                    history[-1] = validated(history[-1])
        if history and history[-1].accuracy is None:
            history[-1] = validated(history[-1])
    return tuple(history)


def _after_step(model: nn.Module) -> Callable[[float], None]:
    updated = [module for module in model.modules() if isinstance(module, AfterStep)]

    def after_step(progress: float) -> None:
        for module in updated:
            module.after_step(progress)

    return after_step


def logits(model: nn.Module, inputs: Tensor, batch: int = EVALUATION_BATCH) -> Tensor:
    """The outputs of a model on inputs [N, …], in evaluation mode, [N, classes]; inputs stay as they
    are, and both where they are. On a CPU, `batch` of them are computed at a time.
    """
    model.eval()
    on_cpu = inputs.device.type == "cpu"
    with torch.inference_mode():
        # Copies, because a network may begin with an operation in place.
        parts = torch.split(inputs, batch if on_cpu else ACCELERATED_BATCH)
        return torch.cat([model(part.clone()) for part in parts])


def accuracy(model: nn.Module, split: Split) -> float:
    """The share of samples, 0 to 1, whose largest logit is that of their label, computed where they
    are.
    """
    with placed(model, split.inputs.device):
        batch = IMAGE_BATCH if split.inputs.ndim == 4 else EVALUATION_BATCH
        right = logits(model, split.inputs, batch).argmax(1) == split.labels
    return int(right.sum()) / len(split.labels)
