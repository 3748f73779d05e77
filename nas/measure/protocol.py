"""What a device is to a search."""

from typing import Protocol

from nas.artifact.program import Program


class Device(Protocol):
    """Something that can tell how long a program takes."""

    @property
    def name(self) -> str:
        """What the device is called."""
        ...

    def latency(self, program: Program) -> float:
        """Seconds for one sample."""
        ...
