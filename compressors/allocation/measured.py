"""The options and costs of a trained network that an allocation chooses from."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from compressors.allocation.group_options import GroupOptions, group_options
from compressors.allocation.layer_options import layer_options, worthwhile
from compressors.allocation.problem import Live, Problem
from compressors.quantization import Quantization, quantize
from nas.layers import named_layers
from nas.lowering import lower_all_channels
from nas.program import Program
from nas.quantize import IntegerLayer
from nas.space import Choices
from nas.tracing import independent_copy
from nas.training.memory_format import to_fastest_format

# Neither multiply-accumulates nor memory depend on the bits of weights.
BITS = 8


def measured(model: nn.Module, images: Tensor, choices: Choices, method: Quantization) -> Problem:
    """What `choices` do to the output of a trained network on `images`, [N, …], and to its costs.

    Raises:
        ValueError: if layers are quantized already, or a pruning choice covers several groups.
    """
    model = prepared(model, images)
    program = _program(model, images, method)
    groups = group_options(model, images, choices)
    layers, options = named_layers(model), layer_options(model, images, choices, method)
    return Problem(
        groups=groups,
        layers={name: worthwhile(of_layer) for name, of_layer in options.items()},
        measured=options,
        channels={name: layer.weight.shape[0] for name, layer in layers.items()},
        macs={
            operation.name: operation.macs(signature)
            for operation, signature in program.steps
            if operation.name in layers
        },
        live=_live(program, groups, images, method),
    )


def prepared(model: nn.Module, images: Tensor) -> nn.Module:
    """A copy of a network to measure and to compress on `images`, [N, …].

    Raises:
        ValueError: if layers are quantized already.
    """
    if quantized := [
        name for name, layer in named_layers(model).items() if isinstance(layer, IntegerLayer)
    ]:
        raise ValueError(
            f"a network must have plain layers to be allocated bits, but has {quantized}"
        )
    copied = independent_copy(model).eval()
    to_fastest_format(copied, images[:2])
    return copied


def _program(model: nn.Module, images: Tensor, method: Quantization) -> Program:
    return lower_all_channels(quantize(model, BITS, images[:2], method), images[:2])


def _live(
    program: Program, groups: Mapping[str, GroupOptions], images: Tensor, method: Quantization
) -> Live:
    total = _bytes(program)
    return Live(
        total,
        {
            name: (total - _bytes(_program(group.halved, images, method))) / group.half
            for name, group in groups.items()
        },
    )


def _bytes(program: Program) -> NDArray[np.float64]:
    return np.array(program.live_memory, np.float64)
