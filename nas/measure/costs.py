"""All costs of a network at once."""

from torch import Tensor, nn

from nas.measure.device import Device
from nas.measure.ledger import ledger
from nas.measure.operations import activation_bytes, operations, peak_memory

COSTS = ("size_bytes", "params", "macs", "peak_memory_bytes", "latency_ms")


def costs(model: nn.Module, example: Tensor, device: Device | None = None) -> dict[str, float]:
    """`size_bytes`, `params`, `macs`, `peak_memory_bytes`, and `latency_ms` where there is a device, for one sample.

    `params` counts the trainable parameters; `macs` the multiply-accumulates of convolutions and matrix products.

    Raises:
        ValueError: if torch.fx cannot trace the network.
    """
    steps = operations(model, example)
    input_bytes = example[:1].numel() * activation_bytes(model)
    measured = {
        "size_bytes": sum(entry.bytes for entry in ledger(model, steps)),
        "params": sum(parameter.numel() for parameter in model.parameters()),
        "macs": sum(step.macs for step in steps),
        "peak_memory_bytes": peak_memory(steps, input_bytes),
    }
    latency = {} if device is None else {"latency_ms": 1000.0 * device.latency(steps, input_bytes)}
    return {**{name: float(value) for name, value in measured.items()}, **latency}
