"""A trained network compressed to a number of bytes, and trained on by itself."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from compressors.allocation import Allocation, allocate
from compressors.quantization import Quantization
from nas.data import Split, Task
from nas.layers import WeightLayer, replace_modules
from nas.lowering import lower, snapped
from nas.packed import pack
from nas.quantize import integer_layer, quantized_layer
from nas.training.distil import Distillation
from nas.training.fit import fit, logits
from nas.training.rate import with_rate_penalty
from nas.training.recipe import Recipe

CALIBRATION_SAMPLES = 256
LABEL_WEIGHT, TEMPERATURE = 0.5, 4.0
REPAIRS = 4
_RECIPE = Recipe(epochs=4, finetune_epochs=1, lr=2e-3, finetune_lr=5e-4)


@dataclass(frozen=True, eq=False)
class CompressedNetwork:
    """A network within its budget: `packed` is its file, `bits` those of each layer in it.

    `model` is the quantized network in PyTorch, `allocation` how its bits were chosen before it was
    trained; the bits of a layer are lower where the trained file was too long.
    """

    packed: bytes
    bits: Mapping[str, int]
    model: nn.Module
    allocation: Allocation


def compress_to(
    model: nn.Module,
    *,
    size_bytes: int,
    images: Tensor,
    labels: Tensor | None = None,
    generator: torch.Generator,
    recipe: Recipe = _RECIPE,
    method: Quantization | None = None,
) -> CompressedNetwork:
    """Compresses a trained network to a packed file of at most `size_bytes`.

    Bits are allocated to its layers (`allocate`), and the quantized network is trained by the
    answers of the original (Hinton et al., 2015), and by labels if there are any. The budget is one
    of the file: it is packed after training, and while it is too long the layer that changes the
    output least for the bytes that it saves gets fewer bits, and training goes on.

    Args:
        model: The network. It is not changed.
        size_bytes: The longest that the file may be.
        images: Training inputs, [N, …]; some thousand are enough.
        labels: Their classes, [N]; without, the network's own answers are all that is learned.
        generator: The order of the batches.
        recipe: `epochs` at `lr` after the allocation, `finetune_epochs` at `finetune_lr` after each
            repair, all with its `rate_penalty`.
        method: How weights and activations are quantized; by default as `Quantization` does.

    Raises:
        ValueError: as `allocate` does, or if the file stays too long.
        UnsupportedError: if torch.fx cannot trace the network, or an operation has no integer form.
    """
    method = method or Quantization()
    calibration = images[:CALIBRATION_SAMPLES]
    found = allocate(model, calibration, size_bytes=size_bytes, method=method)
    teacher = copy.deepcopy(model).eval()
    answers = logits(teacher, images)
    task = _task(images, answers.argmax(1) if labels is None else labels, answers.shape[1])
    alpha = 0.0 if labels is None else LABEL_WEIGHT
    loss = Distillation(teacher, images, alpha, TEMPERATURE)
    quantized, bits = found.model, dict(found.bits)
    epochs, lr = recipe.epochs, recipe.lr
    for _ in range(1 + REPAIRS):
        rated = with_rate_penalty(loss, quantized, recipe.rate_penalty)
        fit(quantized, task, recipe, epochs=epochs, lr=lr, loss=rated, generator=generator)
        packed = pack(lower(snapped(quantized), calibration))
        if len(packed) <= size_bytes:
            return CompressedNetwork(packed, bits, quantized, found)
        bits |= _fewer(found, bits, len(packed) - size_bytes)
        _requantize(quantized, bits, method)
        epochs, lr = recipe.finetune_epochs, recipe.finetune_lr
    raise ValueError(
        f"a file must have at most {size_bytes:,} bytes, but has {len(packed):,} after {REPAIRS} repairs"
    )


def _task(images: Tensor, labels: Tensor, classes: int) -> Task:
    """A task to train on alone: nothing is chosen by its other splits."""
    train = Split(images, labels)
    first = Split(images[:CALIBRATION_SAMPLES], labels[:CALIBRATION_SAMPLES])
    return Task(name="compression", train=train, validation=first, test=first, classes=classes)


def _fewer(found: Allocation, bits: Mapping[str, int], excess: int) -> dict[str, int]:
    """Fewer bits for one layer, that of the least divergence for each byte, saving `excess` if one
    can.
    """
    moves = [
        (name, width, now.size_bytes - option.size_bytes, option.divergence - now.divergence)
        for name, row in found.options.items()
        for now in (row[bits[name]],)
        for width, option in row.items()
        if width < bits[name] and option.size_bytes < now.size_bytes
    ]
    if not moves:
        raise ValueError(
            "a file over its budget must have a layer with bits to spare, but has none"
        )
    enough = [move for move in moves if move[2] >= excess] or moves
    name, width, *_ = min(enough, key=lambda move: move[3] / move[2])
    return {name: width}


def _requantize(quantized: nn.Module, bits: Mapping[str, int], method: Quantization) -> None:
    """Gives the layers of a quantized network, in place, their present bits."""
    changed = dict[nn.Module, nn.Module]()
    for name, width in bits.items():
        layer = quantized.get_submodule(name)
        assert isinstance(layer, WeightLayer)
        if integer_layer(layer).bits != width:
            changed[layer] = quantized_layer(layer, width, method.weights, method.weight_scales)
    replace_modules(quantized, changed)
