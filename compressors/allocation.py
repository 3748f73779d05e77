"""The bit-width of each layer of a trained network, allocated under a budget of bytes."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.optimize import Bounds, LinearConstraint, milp
from torch import Tensor, nn

from compressors.quantization import BIT_WIDTHS, Quantization, quantize
from nas.layers import named_layers, replace_modules
from nas.lowering import lower_all_channels
from nas.packed import pack
from nas.packed.encodings import encode
from nas.quantize import IntegerLayer, quantized_layer

ROUNDS = 5


@dataclass(frozen=True)
class LayerOption:
    """What a layer costs at one bit-width: bytes of its coded weights, and the divergence of the
    network's output if this layer alone is quantized.
    """

    size_bytes: int
    divergence: float


OptionTable = Mapping[str, Mapping[int, LayerOption]]
"""The options of each layer, by its dotted name and the number of bits."""


@dataclass(frozen=True, eq=False)
class Allocation:
    """Bit-widths for the layers of a network, and the network quantized to them.

    `size_bytes` is the length of the packed file of `model` as it is, `divergence` that of its
    output from the output of the original, in nats, and `options` what was chosen from.
    """

    bits: Mapping[str, int]
    size_bytes: int
    divergence: float
    options: OptionTable
    model: nn.Module


def allocate(
    model: nn.Module,
    images: Tensor,
    *,
    size_bytes: int,
    bits: Sequence[int] = (1, 2, 3, 4, 6, 8),
    method: Quantization | None = None,
) -> Allocation:
    """Quantizes a trained network so that its packed file has at most `size_bytes` and its output
    changes as little as possible.

    The divergence of the output is measured once for each layer at each of `bits`, and the sum over
    the layers is minimized by integer programming (as HAWQ-V3 does with second derivatives; Yao et
    al., 2021) over the bytes of their entropy-coded weights. Nothing is trained; labels are not
    needed.

    Args:
        model: The network. It is not changed.
        images: Inputs like those of the task, [N, …]; some hundred are enough.
        size_bytes: The longest that the file may be.
        bits: The bit-widths to choose from, 1 to 8 each.
        method: How weights and activations are quantized; by default as `Quantization` does.

    >>> images = torch.rand(64, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    >>> model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 10))
    >>> small = allocate(model, images, size_bytes=900)
    >>> small.size_bytes <= 900, sorted(small.bits)
    (True, ['0', '3'])

    Raises:
        ValueError: if no bits are given or some are not in 1 … 8, or the smallest file is longer
            than `size_bytes`.
        UnsupportedError: if torch.fx cannot trace the network, or an operation has no integer form.
    """
    method = method or Quantization()
    if not bits or not set(bits) <= set(BIT_WIDTHS):
        raise ValueError(f"bits must be one or more of {tuple(BIT_WIDTHS)}, but got {tuple(bits)}")
    if quantized := [
        n for n, layer in named_layers(model).items() if isinstance(layer, IntegerLayer)
    ]:
        raise ValueError(
            f"a network must have plain layers to be allocated bits, but has {quantized}"
        )
    options = layer_options(model, images, bits, method)
    smallest = {name: min(row, key=lambda b: row[b].size_bytes) for name, row in options.items()}
    chosen, file = smallest, _file(model, smallest, images, method)
    if file.size_bytes > size_bytes:
        raise ValueError(
            f"a file of this network must have at least {file.size_bytes:,} bytes with weights of "
            f"{sorted(set(bits))} bits, but may have {size_bytes:,}: prune channels first"
        )
    # All but the coded weights. It changes a little with the bits: biases and multipliers do.
    rest = file.size_bytes - _coded(options, chosen)
    for _ in range(ROUNDS):
        proposed = _least_divergence(options, size_bytes - rest)
        if proposed is None or proposed == chosen:
            break
        candidate = _file(model, proposed, images, method)
        rest = candidate.size_bytes - _coded(options, proposed)
        if candidate.size_bytes <= size_bytes:
            chosen, file = proposed, candidate
            break
    return Allocation(
        chosen, file.size_bytes, _divergence(model, file.model, images), options, file.model
    )


def layer_options(
    model: nn.Module, images: Tensor, bits: Sequence[int], method: Quantization
) -> OptionTable:
    """For each layer and number of bits the coded bytes of its weights, and the divergence of the
    output on `images` if this layer alone is quantized.
    """
    model = copy.deepcopy(model).eval()
    table: dict[str, Mapping[int, LayerOption]] = {}
    wanted = _log_probabilities(model, images)
    for name, layer in named_layers(model).items():
        row = dict[int, LayerOption]()
        for width in bits:
            quantized = quantized_layer(layer, width, method.weights, method.weight_scales)
            levels, _ = quantized.levels()
            size = len(encode(levels.to(torch.int8).numpy(), width).data)
            replace_modules(model, {layer: quantized})
            row[width] = LayerOption(size, _kl(wanted, _log_probabilities(model, images)))
            replace_modules(model, {quantized: layer})
        table[name] = row
    return table


@dataclass(frozen=True, eq=False)
class _File:
    model: nn.Module
    size_bytes: int


def _file(model: nn.Module, bits: Mapping[str, int], images: Tensor, method: Quantization) -> _File:
    quantized = quantize(model, bits, images, method)
    return _File(quantized, len(pack(lower_all_channels(quantized, images))))


def _coded(options: OptionTable, bits: Mapping[str, int]) -> int:
    return sum(options[name][width].size_bytes for name, width in bits.items())


def _least_divergence(options: OptionTable, size_bytes: int) -> dict[str, int] | None:
    """One bit-width for each layer, of least divergence in all; None if nothing fits."""
    names = list(options)
    flat = [(name, width) for name in names for width in options[name]]
    divergences = np.array([options[name][width].divergence for name, width in flat])
    sizes = np.array([[float(options[name][width].size_bytes) for name, width in flat]])
    one_each = np.array([[float(name == row) for name, _ in flat] for row in names])
    found = milp(
        divergences,
        constraints=[LinearConstraint(one_each, 1, 1), LinearConstraint(sizes, 0, size_bytes)],
        integrality=np.ones(len(flat)),
        bounds=Bounds(0, 1),
    )
    if found.x is None:
        return None
    return {name: width for (name, width), share in zip(flat, found.x, strict=True) if share > 0.5}


def _divergence(model: nn.Module, quantized: nn.Module, images: Tensor) -> float:
    original = copy.deepcopy(model).eval()
    return _kl(_log_probabilities(original, images), _log_probabilities(quantized.eval(), images))


def _log_probabilities(model: nn.Module, images: Tensor) -> Tensor:
    with torch.inference_mode():
        logits: Tensor = model(images)
    # Divergences of many bits are below what 32-bit floats tell from 0.
    return logits.double().log_softmax(1)


def _kl(wanted: Tensor, given: Tensor) -> float:
    """The mean divergence of Kullback and Leibler, in nats, of log-probabilities [N, classes]."""
    return float((wanted.exp() * (wanted - given)).sum(1).mean())
