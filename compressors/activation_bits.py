"""Bits of activations as choices of a design."""

import copy
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass

from torch import Tensor, fx, nn

from compressors.quantization import check_activation_bits
from nas.layers import WeightLayer, layers_at
from nas.lowering.groups import module_of, quantizer_of
from nas.quantize import ActivationQuantizer, Role, calibrate, insert_quantizers, role
from nas.quantize.calibrate import RANGE_METHODS, RangeMethod

UNQUANTIZED = 8


@dataclass(frozen=True)
class ActivationBits:
    """The chosen 2 to 8 bits for the results of layers; behind `Quantization` or `PostTraining`,
    whose bits all other tensors keep: the input, means, functions and products.

    The bits of a layer are those of the quantizer behind it, with what is fused into it: batch
    normalization and a clamp. A site covers every layer at or below it; if two sites cover the same
    layer, the inner one decides. Summands share the quantizer of their sum, and parts that of their
    concatenation: it has the most bits that a site gives to any layer that shares it.

    Args:
        ranges: how ranges of activations are calibrated: that of the quantization before
        kind: the kind of choices that is applied

    Raises:
        ValueError: if `ranges` is unknown.
    """

    ranges: RangeMethod = "minmax"
    kind: str = "activation_bits"

    def __post_init__(self) -> None:
        if self.ranges not in RANGE_METHODS:
            raise ValueError(
                f"ranges must be one of {tuple(RANGE_METHODS)}, but got {self.ranges!r}"
            )

    def apply(
        self, model: nn.Module, settings: Mapping[str, Hashable], example: Tensor
    ) -> nn.Module:
        """The network, changed in place, with ranges calibrated again on `example`.

        Raises:
            ValueError: if it is not quantized, a bit-width is not in 2 … 8, or a site holds no
                layer.
        """
        if not any(isinstance(module, ActivationQuantizer) for module in model.modules()):
            raise ValueError(
                f"{type(self).__name__} must come behind a compressor that quantizes activations, such as Quantization, "
                f"but the network has no quantizers"
            )
        assert isinstance(model, fx.GraphModule)
        chosen = dict[nn.Module, int]()
        for site in sorted(settings, key=len):
            bits = check_activation_bits(settings[site])
            chosen |= dict.fromkeys(layers_at(model, site).values(), bits)
        most = dict[ActivationQuantizer, int]()
        for layer, quantizer in _results(model):
            if layer in chosen:
                most[quantizer] = max(most.get(quantizer, 0), chosen[layer])
        for quantizer, bits in most.items():
            quantizer.bits = bits
        calibrate(model, example, RANGE_METHODS[self.ranges])
        return model


def result_groups(model: nn.Module) -> tuple[tuple[str, ...], ...]:
    """The names of the layers of a network in groups whose results share a quantizer, without those
    whose result is the output.

    >>> from torch import nn
    >>> result_groups(nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 8), nn.Linear(8, 2)))
    (('0',), ('2',))

    Raises:
        UnsupportedError: if torch.fx cannot trace the network, or an operation has no integer form.
    """
    model = copy.deepcopy(model)
    names = {module: name for name, module in model.named_modules()}
    traced = insert_quantizers(model, UNQUANTIZED)
    groups = dict[ActivationQuantizer, list[str]]()
    for layer, quantizer in _results(traced):
        of_quantizer = groups.setdefault(quantizer, [])
        if names[layer] not in of_quantizer:
            of_quantizer.append(names[layer])
    (end,) = next(node for node in traced.graph.nodes if node.op == "output").all_input_nodes
    while (last := quantizer_of(end, traced)) is None:
        (end,) = end.all_input_nodes
    groups.pop(last, None)
    return tuple(tuple(group) for group in groups.values())


def _results(traced: fx.GraphModule) -> Iterator[tuple[nn.Module, ActivationQuantizer]]:
    """Each layer with the quantizer of its result, once for each call."""
    for node in traced.graph.nodes:
        layer = module_of(node, traced)
        if isinstance(layer, WeightLayer) and role(node, traced) is Role.LAYER:
            while (quantizer := quantizer_of(node, traced)) is None:
                (node,) = node.users  # what is fused into the layer
            yield layer, quantizer
