"""The training loop, and the quality of what it trains."""

import math
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from nas.data import Split, Task
from nas.objective import Curve, Epoch
from nas.quality import KINDS, QUALITIES
from nas.training.accelerator import placed
from nas.training.augmentation import Augmentation
from nas.training.averaging import WeightAverage
from nas.training.captured_step import CapturedStep, pays
from nas.training.early_stopping import EarlyStopping
from nas.training.in_place import rectified_in_place
from nas.training.memory_format import to_fastest_format
from nas.training.mixup import mixed as mixed_up
from nas.training.optimizer import optimizer_of, schedule_of
from nas.training.precision import is_mixed, mixed_precision
from nas.training.recipe import Recipe
from nas.training.smoothing import smoothed
from nas.training.views import Shown, Views, shown

EVALUATION_BATCH = 256
IMAGE_BATCH = 128
"""Of images on a CPU: what layers pass on is then small enough for its memory to be used again by the
next layer, instead of being given back to the system, which takes 14 to 31 % off.
"""
ACCELERATED_BATCH = 2048
"""On a GPU, where each batch costs as much time to launch as many samples do to compute."""

Loss = Callable[[Tensor, Tensor, Tensor], Tensor]
"""From outputs [N, K], labels [N], or targets, and the positions of the samples in the training split,
[N], to a scalar. Under label smoothing and mixup, labels are the shares of all classes, [N, classes];
positions are those in the views of a `ViewedLoss`, where there are any.
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
    reached: `epochs` of them, or fewer if `stop` or early stopping ends training.

    Optimizer, schedule, batch size, weight decay, label smoothing, augmentation, averaging of weights and early
    stopping are those of `recipe`; `generator` shuffles the samples and varies them. An epoch whose accuracy `recipe` leaves
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
            best = EarlyStopping(model, recipe.early_stopping)
            total = torch.zeros((), device=device)
            mixed, precision = is_mixed(model, device), mixed_precision(model, device)

            def train_on(index: Tensor, drawn: Tensor) -> None:
                optimizer.zero_grad(set_to_none=True)
                images, labels, position = _lesson(show, task, recipe, index, drawn)
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
                return Epoch(epoch.loss, _validation_score(model, task))

            while len(history) < epochs and not (best.is_over or stop(history)):
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
                    best.see(history[-1].accuracy or 0.0)
        if history and history[-1].accuracy is None:
            history[-1] = validated(history[-1])
            best.see(history[-1].accuracy or 0.0)
        best.finish(after_step)
    return tuple(history)


def _lesson(
    show: Shown, task: Task, recipe: Recipe, index: Tensor, drawn: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """What is learned of the training samples at `index`: inputs, labels, and positions for the loss."""
    inputs, position = show.images(index, drawn)
    labels = smoothed(task.train.labels[index], task.classes, recipe.label_smoothing)
    if recipe.augmentation.mixup:
        inputs, labels = mixed_up(inputs, labels, drawn[:, -1], task.classes)
    return inputs, labels, position


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


def measured(model: nn.Module, split: Split, metric: str) -> float:
    """One of `nas.quality.QUALITIES` of a model on samples, whose outputs are computed where they are."""
    if metric == "accuracy":
        return accuracy(model, split)
    with placed(model, split.inputs.device):
        outputs = logits(model, split.inputs, _batch_of(split)).cpu().double().numpy()
    return QUALITIES[metric].measured(outputs, split.labels.cpu().numpy())


def _validation_score(model: nn.Module, task: Task) -> float:
    # R² has no lower bound, and one bad epoch would hide all others.
    return max(0.0, measured(model, task.validation, KINDS[task.kind].score))


def _batch_of(split: Split) -> int:
    return IMAGE_BATCH if split.inputs.ndim == 4 else EVALUATION_BATCH


def accuracy(model: nn.Module, split: Split) -> float:
    """The share of samples, 0 to 1, whose largest logit is that of their label, or whose one logit is
    above 0 if their label is 1 and else not, computed where they are.
    """
    with placed(model, split.inputs.device):
        outputs = logits(model, split.inputs, _batch_of(split))
        taken = outputs.argmax(1) if outputs.shape[1] > 1 else (outputs[:, 0] > 0.0).long()
        right = taken == split.labels
    return int(right.sum()) / len(split.labels)
