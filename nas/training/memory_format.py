"""The order in memory in which a network computes fastest."""

import torch
from torch import Tensor, nn

from nas.tracing.same_outputs import evaluating
from nas.training.precision import is_mixed


def to_fastest_format(model: nn.Module, example: Tensor) -> None:
    """Puts the weights of a network in place into channels-last order, in which convolutions are a
    quarter faster on a CPU; or into torch's own, if the network has a view that needs it, such as
    `x.view(x.size(0), -1)`, or a convolution whose gradient would be written past its memory.

    `example` is a batch of inputs, on which the network is tried in evaluation mode. Its mode stays.
    On a GPU, where kernels of 32-bit floats are made for torch's own order, only networks of mixed
    precision are in channels-last order.
    """
    device = example.device
    on_cpu = device.type == "cpu"
    if any(map(_overflows, model.modules())) if on_cpu else not is_mixed(model, device):
        model.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
        return
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    try:
        with evaluating(model), torch.no_grad():
            model(example.clone())  # which the network may change
    except RuntimeError:
        # One with another reason is raised again where the network runs.
        model.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]


def _overflows(module: nn.Module) -> bool:
    """Whether the kernel for the gradient of a channels-last convolution writes past its memory: that
    of oneDNN 3.12 for strided convolutions of single pixels does, if they read fewer channels than a
    vector register holds.
    """
    vector = 16 if torch.backends.cpu.get_cpu_capability() == "AVX512" else 8
    return (
        isinstance(module, nn.Conv2d)
        and module.kernel_size == (1, 1)
        and module.stride != (1, 1)
        and module.groups == 1
        and 1 < module.in_channels < vector
    )
