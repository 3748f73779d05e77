"""Sums of products, and scales with which kernels round every one of them as the program does."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nas.program.biases import bias_shift
from nas.program.operations import Layer
from nas.program.rounded_sums import RoundedSums, extremes
from nas.program.tensors import TensorType
from nas.tflite.clamped import Clamp

LARGEST = 2**31 - 1


@dataclass(frozen=True, eq=False)
class Sums:
    """Sums of `levels`, int64 [out, …], times q - zero of a source, plus `biases`, int64 [out]; the
    result has them times `multipliers` / 2^`shift`, int64 [out].

    Levels of few bits are shifted up until biases have their unit, so that all levels are multiples
    of `apart`.
    """

    source: TensorType
    levels: NDArray[np.int64]
    biases: NDArray[np.int64]
    multipliers: NDArray[np.int64]
    shift: int
    apart: int = 1

    @classmethod
    def of(cls, layer: Layer, source: TensorType) -> "Sums":
        """The sums of a layer; channels with a multiplier of 0 are zeros."""
        finer = bias_shift(layer.weights.level_bits)
        shift, multipliers = layer.scaling.shift + finer, layer.scaling.multipliers.astype(np.int64)
        levels, live = layer.weights.levels.astype(np.int64) << finer, multipliers > 0
        channels = (-1, *[1] * (levels.ndim - 1))
        return cls(
            source,
            np.where(live.reshape(channels), levels, 0),
            np.where(live, layer.biases, 0),
            np.where(live, multipliers, 2**shift),
            shift,
            2**finer,
        )

    @property
    def factors(self) -> NDArray[np.float64]:
        """What the sums are multiplied by, [out]; exact."""
        return self.multipliers.astype(np.float64) * 0.5**self.shift

    @property
    def bound(self) -> int:
        """What no part of a sum exceeds."""
        rows, zero = np.abs(self.levels.reshape(len(self.levels), -1)).sum(1), self.source.zero
        furthest = max(zero, self.source.top - zero)
        return int((rows * furthest + np.abs(self.biases)).max())

    def scales(self, source: float, result: float) -> NDArray[np.float32]:
        """The nearest scales of the weights, [out], between tensors of these scales; they are exact
        where the quotient of those is a power of two.
        """
        return (self.factors * (result / source)).astype(np.float32)

    def exact_scales(
        self, source: float, result: float, clamp: Clamp
    ) -> NDArray[np.float32] | None:
        """Scales with which a kernel that rounds once, in 32-bit floats and half to even, gives the
        program's integers for every sum that can occur; None where none are found.
        """
        least, most = extremes(self.levels, self.biases, self.source)
        sums = RoundedSums(
            multipliers=self.multipliers,
            shift=self.shift,
            biases=self.biases,
            apart=self.apart,
            least=least,
            most=most,
            results=(clamp.low - clamp.result.zero, clamp.high - clamp.result.zero),
        )
        return sums.agreeing_scales(self.scales(source, result), source, result)
