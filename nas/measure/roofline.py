"""A device known by two numbers."""

from dataclasses import dataclass
from math import inf

from nas.measure.geometry import traffic
from nas.program.operations import Layer
from nas.program.program import Program


@dataclass(frozen=True)
class Roofline:
    """A device on which each operation takes as long as its arithmetic or its traffic, whichever is
    slower.

    After the roofline model (Williams et al., 2009), summed over operations that run one after the
    other. The traffic is that of tensors and of packed weights.

    Raises:
        ValueError: if a rate is not positive and finite.
    """

    name: str
    macs_per_second: float
    bytes_per_second: float

    def __post_init__(self) -> None:
        if not (0 < self.macs_per_second < inf and 0 < self.bytes_per_second < inf):
            raise ValueError(f"the rates of a device must be positive and finite, but got {self}")

    def latency(self, program: Program) -> float:
        """Seconds for one sample."""
        total = 0.0
        for operation, signature in program.steps:
            moved = traffic(signature)
            if isinstance(operation, Layer):
                moved += (operation.weights.size * operation.weights.bits + 7) // 8
            total += max(
                operation.macs(signature) / self.macs_per_second, moved / self.bytes_per_second
            )
        return total
