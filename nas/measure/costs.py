"""All costs of a network at once."""

import math

from torch import nn

from nas.mask import WeightMask
from nas.measure.device import Device, Measuring
from nas.packed import flash_bytes
from nas.program import Program
from nas.quantize import UnsupportedError

COSTS = ("size_bytes", "flash_bytes", "params", "macs", "peak_memory_bytes", "latency_ms")


def costs(model: nn.Module, program: Program, device: Device | None = None) -> dict[str, float]:
    """What a network and its program cost for one sample.

    `flash_bytes` is what a device holds, bit-packed; `size_bytes`, which the file's own coding can
    only lower, is the same here. `params` counts the trainable parameters but those that masks
    remove, `macs` the multiply-accumulates of layers, `peak_memory_bytes` the most activations
    alive at once; `latency_ms` is there where a device is, and `latency_ratio`, how many times as
    long as the network in 32-bit floats that is, where the device can measure both.

    Raises:
        ValueError: if the device gives no latency.
    """
    flash = float(flash_bytes(program))
    removed = sum(
        int((~module.kept).sum()) for module in model.modules() if isinstance(module, WeightMask)
    )
    measured = {
        "size_bytes": flash,
        "flash_bytes": flash,
        "params": float(sum(parameter.numel() for parameter in model.parameters()) - removed),
        "macs": float(program.macs),
        "peak_memory_bytes": float(program.peak_memory),
    }
    if device is None:
        return measured
    seconds, ratio = _timed(model, program, device)
    if not 0.0 <= seconds < math.inf:
        raise ValueError(
            f"the latency of a device must be seconds, 0 or more, but {device.name!r} gave {seconds}"
        )
    return {**measured, **ratio, "latency_ms": 1000.0 * seconds}


def _timed(model: nn.Module, program: Program, device: Device) -> tuple[float, dict[str, float]]:
    if isinstance(device, Measuring):
        try:
            seconds, ratio = device.compared(program, model)
        except UnsupportedError:
            pass  # there is nothing to compare with
        else:
            return seconds, {"latency_ratio": ratio}
    return float(device.latency(program)), {}
