"""What a device is to a search."""

from typing import Protocol, runtime_checkable

from torch import nn

from nas.program.program import Program


class Device(Protocol):
    """Something that can tell how long a program takes."""

    @property
    def name(self) -> str:
        """What the device is called."""
        ...

    def latency(self, program: Program) -> float:
        """Seconds for one sample."""
        ...


@runtime_checkable
class Measuring(Protocol):
    """A device that runs programs here and now: its answers differ from call to call."""

    def compared(self, program: Program, model: nn.Module) -> tuple[float, float]:
        """Seconds for one sample, and how many times as long as the network in 32-bit floats that
        is.

        Raises:
            UnsupportedError: if the network cannot run in floats on this device.
        """
        ...
