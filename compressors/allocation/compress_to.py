"""A trained network compressed to a number of bytes, and trained on by itself."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from compressors.allocation.allocate import Allocation, allocate
from compressors.allocation.problem import SIZE, Problem, Selected
from compressors.quantization import Quantization
from nas.data import Split, Task
from nas.lowering import lower, snapped
from nas.packed import pack
from nas.training.distil import Distillation
from nas.training.fit import fit, logits
from nas.training.rate import with_rate_penalty
from nas.training.recipe import Recipe

CALIBRATION_SAMPLES = 256
LABEL_WEIGHT, TEMPERATURE = 0.5, 4.0
REPAIRS = 4
_RECIPE = Recipe(epochs=8, finetune_epochs=1, lr=5e-3, finetune_lr=1e-3)


@dataclass(frozen=True, eq=False)
class CompressedNetwork:
    """A network within its limits: `packed` is its file, `model` the same in PyTorch.

    `allocation` is how its widths and bits were chosen before it was trained; `selected` has fewer
    bits for a layer where the trained file was too long.
    """

    packed: bytes
    model: nn.Module
    allocation: Allocation
    selected: Selected


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
    file: it is packed after training, and while it is too long the layer that changes the output
    least for the bytes that it saves gets fewer bits, and training goes on.

    Args:
        model: The network. It is not changed.
        size_bytes: The longest that the file may be.
        images: Training inputs, [N, …]; some thousand are enough.
        labels: Their classes, [N]; without, the network's own answers are all that is learned.
        generator: The order of the batches.
        macs: The most multiply-accumulates for one sample.
        peak_memory_bytes: The most memory that activations may take at once.
        recipe: `epochs` at `lr` after the allocation, `finetune_epochs` at `finetune_lr` after each
            repair, all with its `rate_penalty`.
        method: How weights and activations are quantized; by default as `Quantization` does.

    Raises:
        ValueError: as `allocate` does, or if the file stays too long.
        UnsupportedError: if torch.fx cannot trace the network, or an operation has no integer form.
    """
    method = method or Quantization()
    calibration = images[:CALIBRATION_SAMPLES]
    found = allocate(
        model,
        calibration,
        size_bytes=size_bytes,
        macs=macs,
        peak_memory_bytes=peak_memory_bytes,
        method=method,
    )
    teacher = copy.deepcopy(model).eval()
    # With labels, only the number of classes is needed.
    answers = logits(teacher, images if labels is None else images[:1])
    task = _task(images, answers.argmax(1) if labels is None else labels, answers.shape[1])
    alpha = 0.0 if labels is None else LABEL_WEIGHT
    loss = Distillation(teacher, images, alpha, TEMPERATURE)
    quantized, selected = copy.deepcopy(found.model), found.selected
    epochs, lr = recipe.epochs, recipe.lr
    for _ in range(1 + REPAIRS):
        rated = with_rate_penalty(loss, quantized, recipe.rate_penalty)
        fit(quantized, task, recipe, epochs=epochs, lr=lr, loss=rated, generator=generator)
        packed = pack(lower(snapped(quantized), calibration))
        if len(packed) <= size_bytes:
            return CompressedNetwork(packed, quantized, found, selected)
        selected, site = _fewer_bits(found.problem, selected, len(packed) - size_bytes)
        method.requantize(quantized, {site: selected.options[site].bits})
        epochs, lr = recipe.finetune_epochs, recipe.finetune_lr
    raise ValueError(
        f"a file must have at most {size_bytes:,} bytes, but has {len(packed):,} after {REPAIRS} repairs"
    )


def _task(images: Tensor, labels: Tensor, classes: int) -> Task:
    """A task to train on alone: nothing is chosen by its other splits."""
    train = Split(images, labels)
    first = Split(images[:CALIBRATION_SAMPLES], labels[:CALIBRATION_SAMPLES])
    return Task(name="compression", train=train, validation=first, test=first, classes=classes)


def _fewer_bits(problem: Problem, selected: Selected, excess: int) -> tuple[Selected, str]:
    """The same with fewer bits for one layer, and its name: that of the least divergence for each
    byte, saving `excess` if one can.
    """
    before = problem.costs(selected)[SIZE]
    moves = list[tuple[float, float, Selected, str]]()
    for site, now in selected.options.items():
        for option in problem.layers[site]:
            if option.bits < now.bits and option.but_bits == now.but_bits:
                other = replace(selected, options={**selected.options, site: option})
                saved = before - problem.costs(other)[SIZE]
                if saved > 0:
                    moves.append((saved, option.divergence - now.divergence, other, site))
    if not moves:
        raise ValueError(
            "a file over its budget must have a layer with bits to spare, but has none"
        )
    enough = [move for move in moves if move[0] >= excess] or moves
    *_, other, site = min(enough, key=lambda move: move[1] / move[0])
    return other, site
