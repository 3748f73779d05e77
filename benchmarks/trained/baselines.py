"""What a person does without a search: the same bits everywhere, pruning by hand, bits allocated, designs at random.

All return the packed file, and train by the answers of the network in floats and by the labels, as `compress_to` does.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn.functional import kl_div

from benchmarks.trained.floats import lightly_validated
from compressors import (
    JOINT_COMPRESSORS,
    PostTraining,
    Quantization,
    allocate,
    joint_choices,
    prune,
    quantize,
)
from nas.compress import compress
from nas.data import Task
from nas.lowering import lower, snapped
from nas.packed import pack
from nas.quantize import UnsupportedError
from nas.seeds import generator
from nas.space import Design
from nas.training.distil import Distillation
from nas.training.fit import fit, logits
from nas.training.recipe import Recipe

CALIBRATION, HELD_OUT = 256, 1_000
LABEL_WEIGHT, TEMPERATURE = 0.5, 4.0
DRAWS_FOR_EACH_TRIAL = 60
# Without refitting, files differ by a few per cent.
SLACK = 1.1
UNTRAINED = tuple(
    PostTraining() if isinstance(each, Quantization) else each for each in JOINT_COMPRESSORS
)


def trained_by_answers(
    student: nn.Module, teacher: nn.Module, task: Task, recipe: Recipe, seed: int
) -> nn.Module:
    """The student, trained in place for the recipe's second phase."""
    fit(
        student,
        lightly_validated(task),
        recipe,
        epochs=recipe.finetune_epochs,
        lr=recipe.finetune_lr,
        loss=Distillation(teacher, task.train.inputs, LABEL_WEIGHT, TEMPERATURE),
        generator=torch.Generator().manual_seed(seed),
    )
    return student.eval()


def file_of(quantized: nn.Module, task: Task) -> bytes:
    """The packed file of a quantized network."""
    return pack(lower(snapped(quantized), task.train.inputs[:CALIBRATION]))


def uniform(model: nn.Module, task: Task, recipe: Recipe, bits: int, seed: int) -> bytes:
    """The same bits in all layers, trained."""
    quantized = quantize(model, bits, task.train.inputs[:CALIBRATION])
    return file_of(trained_by_answers(quantized, model, task, recipe, seed), task)


def pruned(
    model: nn.Module, task: Task, recipe: Recipe, ratio: float, bits: int, seed: int
) -> bytes:
    """Without a share of the channels of every layer, trained in floats; then the same bits in all
    layers, and trained again.
    """
    images = task.train.inputs[:CALIBRATION]
    smaller = trained_by_answers(prune(model, ratio, images), model, task, recipe, seed)
    quantized = quantize(smaller, bits, images)
    return file_of(trained_by_answers(quantized, model, task, recipe, seed), task)


def allocated(model: nn.Module, task: Task, size_bytes: int) -> bytes:
    """Bits for each layer within a budget of bytes, not trained."""
    found = allocate(model, task.train.inputs[:CALIBRATION], size_bytes=size_bytes)
    return file_of(found.model, task)


@dataclass(frozen=True)
class Found:
    """The best of a random search: its file without training, and how many designs were drawn for
    those that were within the budget.
    """

    design: Design
    packed: bytes
    divergence: float
    trials: int
    drawn: int


def random_search(model: nn.Module, task: Task, size_bytes: int, trials: int, seed: int) -> Found:
    """Of `trials` random designs of `joint_choices` within the budget the one whose output, without
    training, diverges least from the network's on images that were not trained on.

    Designs over the budget and those that no compressor can make are drawn again, up to 60 for each
    trial; those that are far over it are told by a file of which nothing was refitted.

    Raises:
        ValueError: if no design was within the budget.
    """
    images, held_out = task.train.inputs[:CALIBRATION], task.validation.inputs[:HELD_OUT]
    choices, rng = joint_choices(model, images[:2]), generator(seed, "random search")
    wanted, best, tried, drawn = logits(model, held_out).log_softmax(1), None, 0, 0
    while tried < trials and drawn < DRAWS_FOR_EACH_TRIAL * trials:
        drawn += 1
        design = choices.decode(choices.sample(rng))
        try:
            # So few images that nothing is refitted, which takes longer than all else.
            rough = compress(model, design, JOINT_COMPRESSORS, images[:2])
            if len(file_of(rough, task)) > SLACK * size_bytes:
                continue
            quantized = compress(model, design, UNTRAINED, images)
            packed = file_of(quantized, task)
        except (ValueError, UnsupportedError):
            continue
        if len(packed) > size_bytes:
            continue
        tried += 1
        divergence = _divergence(wanted, logits(quantized, held_out))
        if best is None or divergence < best.divergence:
            best = Found(design, packed, divergence, tried, drawn)
    if best is None:
        raise ValueError(
            f"a random search must find a file of at most {size_bytes:,} bytes, but {drawn} designs have none"
        )
    return replace(best, trials=tried, drawn=drawn)


def design_trained(
    model: nn.Module, task: Task, recipe: Recipe, design: Mapping[str, object], seed: int
) -> bytes:
    """A design of `joint_choices`, trained; its file may be some bytes longer than without."""
    compressed = compress(model, Design(design), JOINT_COMPRESSORS, task.train.inputs[:CALIBRATION])
    return file_of(trained_by_answers(compressed, model, task, recipe, seed), task)


def _divergence(wanted: Tensor, given: Tensor) -> float:
    """The mean divergence of Kullback and Leibler, in nats, of logits from log-probabilities."""
    return float(kl_div(given.log_softmax(1), wanted, reduction="batchmean", log_target=True))
