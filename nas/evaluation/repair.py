"""Files that training made too long: squeezed by weights that code shorter, or shortened by fewer bits where
the output changes least.
"""

import copy
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from nas.compress import Compressor, Requantizer, settings_of
from nas.lowering import lower, snapped
from nas.measure.divergence import answers, difference
from nas.objective import Epoch
from nas.packed import pack
from nas.quality import TaskKind
from nas.space import Choices, Design, present_name

REPAIRS = 4
REPAIRABLE = 1.1
"""The length of a file, relative to its limit, up to which it is repaired where it was predicted."""
REPAIR_EPOCHS, REPAIR_LR = 1, 0.25
"""The epochs of a repair, at this learning rate relative to that of fine-tuning."""
SQUEEZABLE, SQUEEZES = 1.05, (0.3, 1.0, 3.0)
"""A file of up to so many times its limit is squeezed first, by penalties on the rate that rise."""


@dataclass(frozen=True, eq=False)
class Shortened:
    """A network with fewer bits in some layers, its design, and the length of its file."""

    model: nn.Module
    design: Design
    size_bytes: int


def file_of(model: nn.Module, calibration: Tensor) -> bytes:
    """The packed file of a network, which is moved in place to where the file is exact."""
    return pack(lower(snapped(model), calibration))


def repair(
    model: nn.Module,
    design: Design,
    choices: Choices,
    compressors: Sequence[Compressor],
    calibration: Tensor,
    size_bytes: float,
    train: Callable[[nn.Module, float], tuple[Epoch, ...]],
    kind: TaskKind = "classification",
) -> tuple[nn.Module, Design, tuple[Epoch, ...]]:
    """A trained network whose file has at most `size_bytes`, its design, which may have fewer bits in
    some layers, and the curve of all epochs of `train`.

    `train` is called with a penalty on the rate, the mean bits that a weight takes: 0 after a change of bits, and
    one of `SQUEEZES` where the file is little too long, which costs less than fewer bits, or no bits can be
    taken. Training can make a file longer again, so there are up to `REPAIRS` changes besides. A network that cannot be made
    short enough is returned with a file that is too long.
    """
    history, squeezes = tuple[Epoch, ...](), list(SQUEEZES)
    for _ in range(REPAIRS + len(SQUEEZES)):
        if (length := len(file_of(model, calibration))) <= size_bytes:
            break
        shorter = None
        if not squeezes or length > SQUEEZABLE * size_bytes:
            shorter = shorten(model, design, choices, compressors, calibration, size_bytes, kind)
        if shorter is not None:
            model, design = shorter.model, shorter.design
            history += train(model, 0.0)
        elif squeezes:
            history += train(model, squeezes.pop(0))
        else:
            break
    return model, design, history


def shorten(
    model: nn.Module,
    design: Design,
    choices: Choices,
    compressors: Sequence[Compressor],
    calibration: Tensor,
    size_bytes: float,
    kind: TaskKind = "classification",
) -> Shortened | None:
    """The network with fewer bits, until its file has at most `size_bytes`; None if no design of
    `choices` with fewer bits is short enough.

    Each step gives one layer, or the layers of one site, fewer bits: the one of least difference of
    the output on `calibration`, as goes with the `kind` of the task, for each byte that it saves.
    `model` is a compressed network, which is left as it is.
    """
    present = Shortened(model, design, len(file_of(copy.deepcopy(model), calibration)))
    wanted = answers(model, calibration, kind)
    while present.size_bytes > size_bytes:
        moves = [
            (difference(wanted, answers(move.model, calibration, kind), kind), move)
            for move in _moves(present, choices, compressors, calibration)
        ]
        if not moves:
            return None
        # One step that is enough beats a cheaper one that is not.
        enough = [move for move in moves if move[1].size_bytes <= size_bytes] or moves
        saved = present.size_bytes
        present = min(enough, key=lambda move: move[0] / (saved - move[1].size_bytes))[1]
    return present


def _moves(
    present: Shortened, choices: Choices, compressors: Sequence[Compressor], calibration: Tensor
) -> Iterator[Shortened]:
    """The network after each change of one choice of bits: to the largest smaller option by which
    the file becomes shorter.
    """
    for compressor in compressors:
        if not isinstance(compressor, Requantizer):
            continue
        for choice in choices:
            if choice.kind != present_name(compressor.kind) or choice.name not in present.design:
                continue
            for bits in _below(present.design[choice.name], choice.options):
                design = Design({**present.design, choice.name: bits})
                model = copy.deepcopy(present.model)
                try:
                    choices.encode(design)  # a choice may depend on the bits that are given up
                    compressor.requantize(model, settings_of(design, compressor.kind))
                except ValueError:
                    continue
                size_bytes = len(file_of(copy.deepcopy(model), calibration))
                if size_bytes < present.size_bytes:
                    yield Shortened(model, design, size_bytes)
                    break


def _below(bits: Hashable, options: Sequence[Hashable]) -> list[int]:
    """The smaller ones of the options, largest first."""
    smaller = [
        option
        for option in options
        if isinstance(option, int) and isinstance(bits, int) and option < bits
    ]
    return sorted(smaller, reverse=True)
