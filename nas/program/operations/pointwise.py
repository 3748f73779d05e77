"""Functions of one integer at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nas.program.operations.operation import Kernel, Operation
from nas.program.tensors import ChannelMask, Shape, Signature, require

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Lut"]


@dataclass(frozen=True, eq=False)
class Lut(Operation):
    """Any function of one integer as a table, uint8: entry q is the result for q."""

    table: NDArray[np.uint8]

    def result_shape(self, shapes: Sequence[Shape]) -> Shape:
        """That of the source."""
        return shapes[0]

    def _check_values(self, signature: Signature) -> None:
        levels, top = 2**signature.source.bits, signature.result.top
        require(
            self.table.shape == (levels,) and self.table.dtype == np.uint8,
            f"a table must be uint8 [{levels}]",
        )
        require(int(self.table.max()) <= top, f"a table must hold at most {top}")

    def compiled(self, signature: Signature) -> Kernel:
        """A look-up."""
        import torch

        table = torch.from_numpy(self.table.astype(np.float32)) - signature.result.zero
        zero = signature.source.zero

        def run(x: "Tensor") -> "Tensor":
            return table[(x + zero).long()]

        return run

    def dead_channels(self, dead: Sequence[ChannelMask], signature: Signature) -> ChannelMask:
        """The dead channels of the source, if the function is 0 at 0."""
        at_zero = int(self.table[signature.source.zero])
        return dead[0] & (at_zero == signature.result.zero)
