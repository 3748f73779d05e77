"""The interface of operations, and their bases by how the scale of the result comes about."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

from numpy.typing import ArrayLike

from nas.program.rounding import rounded_twice
from nas.program.scaling import Scaling
from nas.program.tensors import ChannelMask, Shape, Signature, TensorType, require

# Only running a program needs torch, which takes seconds to import: operations import it where
# they are compiled, so that files are read, written and listed without it.
if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Kernel", "Operation", "Requantized", "SameScale"]

Kernel = Callable[..., "Tensor"]
"""Computes an operation on a batch: takes q - zero of each source, and returns q - zero of the
result, in floats [N, …] that represent such integers exactly.
"""


@dataclass(frozen=True, eq=False)
class Operation(ABC):
    """One step of a program; `name` is that of the layer it was lowered from, `inputs` are the
    indices of the tensors that it reads.

    `arity` is the least and the most number of tensors that operations of a class read.
    """

    arity: ClassVar[tuple[int, int]] = (1, 1)

    name: str
    inputs: tuple[int, ...]

    def check(self, signature: Signature) -> None:
        """Refuses tensors, weights and multipliers that do not fit together.

        Raises:
            ProgramError: with the requirement and what was found.
        """
        (least, most), count = self.arity, len(signature.sources)
        require(
            least <= count <= most, f"it must read {least} to {most} tensors, but reads {count}"
        )
        shape = self.result_shape([source.shape for source in signature.sources])
        found = signature.result.shape
        require(shape == found, f"its result must be {shape}, but is {found}")
        self._check_values(signature)

    @abstractmethod
    def result_shape(self, shapes: Sequence[Shape]) -> Shape:
        """The shape of the result for sources of these shapes.

        Raises:
            ProgramError: if the operation cannot read such shapes.
        """

    @abstractmethod
    def _check_values(self, signature: Signature) -> None:
        """Refuses integers, scales and constants that do not fit."""

    @abstractmethod
    def compiled(self, signature: Signature) -> Kernel:
        """The operation made ready to run on tensors of these types, on torch's default device: what
        it keeps is made by functions that heed that, such as `torch.as_tensor`.
        """

    def macs(self, signature: Signature) -> int:
        """Multiply-accumulates of convolutions and matrix products for one sample."""
        return 0

    def dead_channels(self, dead: Sequence[ChannelMask], signature: Signature) -> ChannelMask:
        """The channels of the result that are at their zero point for every input, given those of
        the sources; by default those of the first source.
        """
        return dead[0]

    def keep_tied(self, sources: Sequence[ChannelMask], result: ChannelMask) -> None:
        """Extends the masks of channels to keep, in place, to those that must be kept together.

        By default, each channel of a source is tied to an equal share of the result's channels.
        """
        for _ in range(2):  # the second time for what the last source added to the result
            for source in sources:
                keep_together(source, result)

    def narrowed(self, source: ChannelMask, result: ChannelMask) -> Self:
        """The operation without the removed channels of its first source and its result."""
        return self


def keep_together(source: ChannelMask, result: ChannelMask) -> None:
    """Extends both masks, in place, so that a channel of the source and the channels of the result
    that are made of it are kept together.
    """
    blocks = result.reshape(len(source), -1)
    source |= blocks.any(1)
    blocks |= source[:, None]


@dataclass(frozen=True, eq=False)
class Requantized(Operation):
    """An operation whose sums are brought to the scale of its result by a multiplier and a shift."""

    scaling: Scaling

    @abstractmethod
    def _multiplier_count(self) -> int:
        """How many multipliers the operation needs."""

    def _check_values(self, signature: Signature) -> None:
        count, found = self._multiplier_count(), len(self.scaling.multipliers)
        require(found == count, f"it must have {count} multipliers, but has {found}")
        self._check_clamp(signature.result)

    def _check_clamp(self, result: TensorType) -> None:
        top = result.top
        require(
            self.scaling.high <= top,
            f"it must clamp to at most {top}, but clamps to {self.scaling.high}",
        )

    def _clamped(
        self, scaled: "Tensor", result: TensorType, factors: ArrayLike | None = None
    ) -> "Tensor":
        """The integers of the result less its zero point, float32, for sums in steps of the result
        to which a half was added; overwrites them.

        `factors`, which broadcast to the sums, are what kernels multiply sums by where they may
        round twice (None: they look results up, rounded once).
        """
        if self.scaling.rounding == "double" and factors is not None:
            scaled = rounded_twice(scaled.sub_(0.5), factors)
        limits = self.scaling.low - result.zero, self.scaling.high - result.zero
        # What 32-bit floats cannot hold lies far beyond the limits, on the same side of them.
        return scaled.floor_().float().clamp_(*limits)


@dataclass(frozen=True, eq=False)
class SameScale(Operation):
    """An operation that moves or selects integers, and so keeps scale, zero point and bits."""

    def _check_values(self, signature: Signature) -> None:
        source, result = signature.source, signature.result
        same = (source.scale, source.zero, source.bits) == (result.scale, result.zero, result.bits)
        require(same, "it must keep scale, zero point and bits of its input")


def image(shape: Shape) -> Shape:
    """The shape, which must be [C, H, W].

    Raises:
        ProgramError: if it is another.
    """
    require(len(shape) == 3, f"its input must be [C, H, W], but is {shape}")
    return shape
