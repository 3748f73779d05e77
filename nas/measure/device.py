"""The protocols of devices, which give the latency of a program."""

from typing import Protocol, runtime_checkable

from torch import nn

from nas.program.program import Program


class Device(Protocol):
    """Gives the latency of a program, computed or measured."""

    @property
    def name(self) -> str:
        """The name of the device, for messages."""
        ...

    def latency(self, program: Program) -> float:
        """The latency for one sample, in seconds."""
        ...


@runtime_checkable
class MeasuringDevice(Protocol):
    """A device that runs programs, so that its latencies differ from call to call."""

    def compare_with_float(self, program: Program, model: nn.Module) -> tuple[float, float]:
        """The latency of a program for one sample, in seconds, and its ratio to the latency of the
        same network in 32-bit floats.

        Raises:
            UnsupportedError: if the network cannot run in floats on this device.
        """
        ...
