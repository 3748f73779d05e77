"""How long a network takes on the device that it is meant for."""

from dataclasses import dataclass
from math import prod
from typing import Protocol

from nas.artifact import Conv, Linear, Program


class Device(Protocol):
    """Something that can tell how long a network takes."""

    @property
    def name(self) -> str:
        """What the device is called."""
        ...

    def latency(self, program: Program) -> float:
        """Seconds for one sample."""
        ...


@dataclass(frozen=True)
class Roofline:
    """A device known by two rates: each operation takes its arithmetic or its traffic, whichever is slower.

    After the roofline model (Williams et al., 2009), summed over operations that run one after the other. The traffic is
    the packed weights, and the tensors read and written at one byte an element.

    Raises:
        ValueError: if a rate is not positive.
    """

    name: str
    macs_per_second: float
    bytes_per_second: float

    def __post_init__(self) -> None:
        if not (self.macs_per_second > 0 and self.bytes_per_second > 0):
            raise ValueError(f"the rates of a device must be positive, but got {self}")

    def latency(self, program: Program) -> float:
        """Seconds for one sample."""
        total = 0.0
        for operation, result in zip(program.operations, program.tensors[1:], strict=True):
            macs, weights = 0, 0
            if isinstance(operation, (Conv, Linear)):
                macs = result.size * prod(operation.weights.shape[1:])
                weights = (operation.weights.size * operation.bits + 7) // 8
            traffic = weights + result.size + sum(program.tensors[source].size for source in operation.inputs)
            total += max(macs / self.macs_per_second, traffic / self.bytes_per_second)
        return total
