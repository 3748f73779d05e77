"""Options that say what a network may take."""

from collections.abc import Mapping
from dataclasses import dataclass

from nas.measure import Device, Roofline
from nas.measure.boards import BoardName, limits_on
from nas.measure.targets import device_of_board, target_device


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Limits of a network.

    Args:
        size_bytes: largest size of the packed file: a number of bytes, or 6kB, or 6KiB
        flash_bytes: largest size on a device, which stores weights without coding, in bytes
        params: largest number of trainable parameters
        macs: largest number of multiply-accumulates for one sample
        peak_memory_bytes: largest peak memory of activations, in bytes
        latency_ms: largest latency of one sample on the target, in milliseconds
        board: a board whose flash and memory limit flash_bytes and peak_memory_bytes, where they are not
            smaller already: uno, pico, nano33ble, stm32f4, stm32h7 or esp32
        target: device of the latency: roofline, with the two rates below; onnxruntime, on this
            processor; cortex-m4, by instructions; ethos-u55-128 or another NPU, with the extra ethos;
            or a table that nas profile wrote. By default the processor of the board, if it is one of
            these, else roofline
        macs_per_second: multiply-accumulates per second of the roofline
        bytes_per_second: bytes of memory traffic per second of the roofline
    """

    size_bytes: int | None = None
    flash_bytes: int | None = None
    params: int | None = None
    macs: int | None = None
    peak_memory_bytes: int | None = None
    latency_ms: float | None = None
    board: BoardName | None = None
    target: str | None = None
    macs_per_second: float = 1e8
    bytes_per_second: float = 1e8

    @property
    def limits(self) -> Mapping[str, float]:
        """The limits that are stated, and the smaller ones of the board, by the names of costs."""
        costs = "size_bytes", "flash_bytes", "params", "macs", "peak_memory_bytes", "latency_ms"
        return limits_on(self.board, {cost: getattr(self, cost) for cost in costs})

    @property
    def device(self) -> Device | None:
        """What gives latencies; None if they are neither limited nor asked for by a target.

        Raises:
            ValueError: if there is no such target, or its file is damaged.
        """
        if self.latency_ms is None and self.target in (None, "roofline"):
            return None
        roofline = Roofline("stated rates", self.macs_per_second, self.bytes_per_second)
        if self.target is None:
            return (None if self.board is None else device_of_board(self.board)) or roofline
        return roofline if self.target == "roofline" else target_device(self.target, self.board)
