"""All costs of a network."""

import math

from torch import nn

from nas.mask import WeightMask
from nas.measure.device import Device, MeasuringDevice
from nas.packed import flash_bytes
from nas.program import Program
from nas.quantize import UnsupportedError

COSTS = ("size_bytes", "flash_bytes", "params", "macs", "peak_memory_bytes", "latency_ms")


def costs(model: nn.Module, program: Program, device: Device | None = None) -> dict[str, float]:
    """The costs of a network and its program, for one sample.

    `flash_bytes` is the size on a device, bit-packed. `size_bytes` is the same here, an upper bound
    of the size of the file, which is compressed. `params` counts the trainable parameters that no
    mask removes, `macs` the multiply-accumulates of layers, and `peak_memory_bytes` is the most
    memory that activations take at once. With a device there is `latency_ms`, and, if the device
    measures, `latency_ratio`: the latency relative to that of the network in 32-bit floats.

    Raises:
        ValueError: if the latency of the device is negative or not finite.
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
    seconds, ratio = _latency(model, program, device)
    if not 0.0 <= seconds < math.inf:
        raise ValueError(
            f"the latency of a device must be finite seconds, 0 or more, but {device.name!r} gave {seconds}"
        )
    return {**measured, **ratio, "latency_ms": 1000.0 * seconds}


def _latency(model: nn.Module, program: Program, device: Device) -> tuple[float, dict[str, float]]:
    if isinstance(device, MeasuringDevice):
        try:
            seconds, ratio = device.compare_with_float(program, model)
        except UnsupportedError:
            pass  # only the program can be timed
        else:
            return seconds, {"latency_ratio": ratio}
    return float(device.latency(program)), {}
