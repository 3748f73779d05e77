"""A trained network compressed to a number of bytes, and trained on by itself."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from compressors.allocation.allocate import BITS, RATIOS, Allocation, allocate
from compressors.joint import joint_choices
from compressors.quantization import Quantization
from nas.data import Split, Task, stratified
from nas.evaluation.repair import REPAIR_EPOCHS, REPAIR_LR, file_of, repair
from nas.objective import Epoch
from nas.seeds import derive
from nas.space import Design
from nas.training.distil import Distillation
from nas.training.fit import Loss, fit, logits
from nas.training.rate import with_rate_penalty
from nas.training.recipe import Recipe

CALIBRATION_SAMPLES = 256
LABEL_WEIGHT, TEMPERATURE = 0.5, 4.0
_RECIPE = Recipe(epochs=0, finetune_epochs=16, finetune_lr=5e-3)


@dataclass(frozen=True, eq=False)
class CompressedNetwork:
    """A network within its limits: `packed` is its file, `model` the same in PyTorch.

    `allocation` is what it was before it was trained; `design` is that of the allocation, but with
    fewer bits for a layer where the file was too long after training.
    """

    packed: bytes
    model: nn.Module
    design: Design
    allocation: Allocation


def compress_to(
    model: nn.Module,
    *,
    size_bytes: int,
    images: Tensor,
    labels: Tensor | None = None,
    generator: torch.Generator,
    macs: int | None = None,
    peak_memory_bytes: int | None = None,
    recipe: Recipe = _RECIPE,
    method: Quantization | None = None,
) -> CompressedNetwork:
    """Compresses a trained network to a packed file of at most `size_bytes`.

    Widths and bits are allocated (`allocate`), and the compressed network is trained by the answers
    of the original (Hinton et al., 2015), and by labels if there are any. The budget is one of the
    file: it is packed after training, and while it is too long a penalty on its rate is trained
    with, or the layer that changes the output least for the bytes that it saves gets fewer bits, and training goes on.

    Args:
        model: The network. It is not changed.
        size_bytes: The longest that the file may be.
        images: Training inputs, [N, …]; some thousand are enough.
        labels: Their classes, [N]; without, the network's own answers are all that is learned.
        generator: The order of the batches; its first seed also draws the images for calibration.
        macs: The most multiply-accumulates for one sample.
        peak_memory_bytes: The most memory that activations may take at once.
        recipe: `finetune_epochs` at `finetune_lr`, with its `rate_penalty`; its first phase is not
            used.
        method: How weights and activations are quantized; by default as `Quantization` does.

    Raises:
        ValueError: as `allocate` does, or if the file stays too long.
        UnsupportedError: if torch.fx cannot trace the network, or an operation has no integer form.
    """
    calibration, method = _calibration(images, labels, generator), method or Quantization()
    choices = joint_choices(model, images[:2], ratios=RATIOS, bits=BITS)
    found = allocate(
        model,
        calibration,
        size_bytes=size_bytes,
        macs=macs,
        peak_memory_bytes=peak_memory_bytes,
        choices=choices,
        method=method,
    )
    task, loss = _lesson(model, images, labels, recipe)

    def train(network: nn.Module, epochs: int, lr: float, rate: float) -> tuple[Epoch, ...]:
        rated = with_rate_penalty(loss, network, max(rate, recipe.rate_penalty))
        return fit(network, task, recipe, epochs=epochs, lr=lr, loss=rated, generator=generator)

    def recover(short: nn.Module, rate_penalty: float) -> tuple[Epoch, ...]:
        return train(short, REPAIR_EPOCHS, REPAIR_LR * recipe.finetune_lr, rate_penalty)

    trained = copy.deepcopy(found.model)
    train(trained, recipe.finetune_epochs, recipe.finetune_lr, 0.0)
    trained, design, _ = repair(
        trained,
        found.design,
        choices,
        (method,),
        calibration,
        size_bytes,
        recover,
    )
    packed = file_of(trained, calibration)
    if len(packed) > size_bytes:
        raise ValueError(
            f"a file must have at most {size_bytes:,} bytes, but still has {len(packed):,} with fewer bits"
        )
    return CompressedNetwork(packed, trained, design, found)


def _calibration(images: Tensor, labels: Tensor | None, generator: torch.Generator) -> Tensor:
    """Images for ranges, drawn by class where the classes are known: rows are often sorted."""
    classes = torch.zeros(len(images), dtype=torch.int64) if labels is None else labels
    rng = np.random.default_rng(derive(generator.initial_seed(), "calibration"))
    return stratified(Split(images, classes), CALIBRATION_SAMPLES, rng).inputs


def _lesson(
    model: nn.Module, images: Tensor, labels: Tensor | None, recipe: Recipe
) -> tuple[Task, Loss]:
    """A task to train on alone, because nothing is chosen by its other splits, and what is learned
    on it: the answers of the network, and the labels if there are any.
    """
    teacher = copy.deepcopy(model).eval()
    # With labels, only the number of classes is needed.
    answers = logits(teacher, images if labels is None else images[:1])
    train = Split(images, answers.argmax(1) if labels is None else labels)
    few = Split(train.inputs[:CALIBRATION_SAMPLES], train.labels[:CALIBRATION_SAMPLES])
    task = Task(name="compression", train=train, validation=few, test=few, classes=answers.shape[1])
    alpha = 0.0 if labels is None else LABEL_WEIGHT
    varied = [recipe.augmentation]
    return task, Distillation(teacher, images, alpha, TEMPERATURE, augmentations=varied)
