"""The length of a file before there are weights to code: predicted part by part, and learnt from the
files of candidates that were trained.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from statistics import fmean

from nas.file_length import FileLength
from nas.objective import Budget, Evaluation, Metrics
from nas.packed import flash_bytes, ledger, unpack
from nas.packed.layers import plain_weight_bytes
from nas.program import Program
from nas.program.operations import Layer

Parts = Mapping[str, float]
"""The bytes of each part of a file: of the weights of all layers of so many bits, "1" to "8", and of
all the rest.
"""

REST = "rest"
WEIGHTS = ("weights", "masks", "codebooks")
"""The purposes in a ledger that weights are stored for."""

SAVINGS: Mapping[int, tuple[int, float]] = {
    1: (4000, 0.0),
    2: (72, 0.097),
    3: (216, 0.079),
    4: (216, 0.061),
    5: (324, 0.045),
    6: (324, 0.032),
    7: (450, 0.031),
    8: (576, 0.031),
}
"""For each bit-width, the weights of a layer above which coding saves bytes, and the share of them that
it saves for each factor e of more weights. Larger layers have more weights below the largest of their
channel, to which levels are scaled. `python -m benchmarks.coded_size` measures these values, `BIAS_BITS`
and `FIRST_ERROR`.
"""
MANY = 4000
"""So many weights of a layer and more are saved the same share."""
BIAS_BITS = 14.5
"""The bits of a bias; `flash_bytes` counts 32."""
FIRST_ERROR = 0.03
"""The standard deviation of the logarithm of length over prediction before anything is learnt."""
FIRST_COUNT = 4
"""So many files the values above count for."""
FURTHEST = 0.5
"""So far from what was expected a part of a file is learnt from, as a logarithm."""


def expected_parts(program: Program, flash: float | None = None) -> Parts:
    """What the file of a program is expected to take when it is trained, without any other file; `flash`
    are its `flash_bytes` (None: they are counted).

    Raises:
        ArtifactError: as `flash_bytes` does.
    """
    layers = [each for each in program.operations if isinstance(each, Layer)]
    biases = sum(len(layer.biases) for layer in layers)
    counted = flash_bytes(program) if flash is None else flash
    rest = counted - biases * (32 - BIAS_BITS) / 8
    parts: dict[str, float] = {}
    # Weights of a layer that is called again are stored once.
    for layer in {id(layer.weights): layer for layer in layers}.values():
        plain, bits = plain_weight_bytes(layer.weights), layer.weights.bits
        rest -= plain
        coded = coded_share(bits, layer.weights.size) * plain
        parts[str(bits)] = parts.get(str(bits), 0.0) + coded
    return {**parts, REST: rest}


def coded_share(bits: int, count: int) -> float:
    """The coded bytes of a layer of so many weights of `bits` bits, relative to plain ones."""
    few, saving = SAVINGS[bits]
    return 1.0 - saving * max(0.0, math.log(min(count, MANY) / few))


def found_parts(packed: bytes) -> Parts:
    """What the parts of a packed file take."""
    bits = {
        layer.name: str(layer.weights.bits)
        for layer in unpack(packed).operations
        if isinstance(layer, Layer)
    }
    parts = Counter[str]()
    for entry in ledger(packed):
        of_weights = entry.layer in bits and entry.purpose in WEIGHTS
        parts[bits[entry.layer] if of_weights else REST] += entry.bytes
    return dict(parts)


def compare(predicted: float, expected: Parts, packed: bytes) -> FileLength:
    """The length of a file beside that which was predicted; `expected` are the parts that its
    prediction was made of.
    """
    found = found_parts(packed)
    logs = {name: math.log(found[name] / size) for name, size in expected.items() if name in found}
    return FileLength(predicted, len(packed), logs)


@dataclass(frozen=True)
class SizePrediction:
    """Predicts lengths of files of networks that are not trained yet.

    `corrections` are logarithms of factors for what is expected of each part, `error` is the
    standard deviation of the logarithm of length over prediction. As it is made without arguments,
    it has learnt nothing.
    """

    corrections: Mapping[str, float] = field(default_factory=dict)
    error: float = FIRST_ERROR

    def predict(self, parts: Parts) -> float:
        """The length of a file of which these parts are expected, in whole bytes."""
        sizes = (size * math.exp(self.corrections.get(name, 0.0)) for name, size in parts.items())
        return float(round(math.fsum(sizes)))

    def broken(self, budget: Budget, costs: Metrics) -> str:
        """The limits that `costs` exceed, as text: that of a predicted `size_bytes` by more than a
        standard deviation, so that a file within it would be shorter than five in six are; empty
        if there are none.
        """
        least = {**costs, "size_bytes": costs["size_bytes"] * math.exp(-self.error)}
        over = budget.broken(least)
        if "size_bytes" not in over:
            return over
        error = f"size_bytes is predicted, with an error of {self.error:.1%}"
        return f"{budget.broken(costs)} ({error})"


ANY_SIZE = SizePrediction(error=math.inf)
"""Refuses nothing, for candidates that are known to fit."""


def learnt(evaluations: Iterable[Evaluation]) -> SizePrediction:
    """The prediction that has learnt from the files of evaluations, in any order.

    A correction is the mean over files of the logarithms of found over expected bytes, each no
    further from 0 than `FURTHEST`, and `FIRST_COUNT` zeros; the error is the root mean square of
    those of the predictions, and of so many `FIRST_ERROR`.
    """
    lengths = [each.file_length for each in evaluations if each.file_length is not None]
    logs: dict[str, list[float]] = {}
    for length in lengths:
        for name, log in length.parts.items():
            logs.setdefault(name, [0.0] * FIRST_COUNT).append(max(-FURTHEST, min(log, FURTHEST)))
    errors = [FIRST_ERROR] * FIRST_COUNT + [length.error for length in lengths]
    error = math.sqrt(fmean(each**2 for each in errors))
    return SizePrediction({name: fmean(each) for name, each in logs.items()}, error)
