"""How long a network takes on the device that it is meant for."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from nas.measure.operations import Operation


class Device(Protocol):
    """Something that can tell how long a network takes."""

    @property
    def name(self) -> str:
        """What the device is called."""
        ...

    def latency(self, steps: Sequence[Operation], input_bytes: int) -> float:
        """Seconds for one sample."""
        ...


@dataclass(frozen=True)
class Roofline:
    """A device known by two rates: each operation takes its arithmetic or its traffic, whichever is slower.

    After the roofline model (Williams et al., 2009), summed over operations that run one after the other.

    Raises:
        ValueError: if a rate is not positive.
    """

    name: str
    macs_per_second: float
    bytes_per_second: float

    def __post_init__(self) -> None:
        if not (self.macs_per_second > 0 and self.bytes_per_second > 0):
            raise ValueError(f"the rates of a device must be positive, but got {self}")

    def latency(self, steps: Sequence[Operation], input_bytes: int) -> float:
        """Seconds for one sample."""

        def seconds(step: Operation) -> float:
            read = sum(input_bytes if source < 0 else steps[source].output_bytes for source in step.inputs)
            traffic = step.weight_bytes + read + step.output_bytes
            return max(step.macs / self.macs_per_second, traffic / self.bytes_per_second)

        return sum(map(seconds, steps))
