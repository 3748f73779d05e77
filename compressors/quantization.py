"""Fake-quantised training at the bit-widths that a search chooses."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from nas.compress import layers_at
from nas.quantize import QuantizedConv2d, QuantizedLinear, calibrate, insert_ranges

BIT_WIDTHS = range(2, 9)


@dataclass(frozen=True)
class Quantization:
    """Weights at the chosen 2 to 8 bits, one scale a channel; the tensors between layers at `activation_bits`.

    A site stands for every convolution and linear layer at or below it; where two sites hold the same layer, the inner one
    decides. Batch normalisation behind a layer stays while it is trained: it changes the scales of channels, and no level.

    Raises:
        ValueError: if a bit-width is not in 2 … 8.
    """

    activation_bits: int = 8
    kind: str = "bits"

    def __post_init__(self) -> None:
        _check_bits(self.activation_bits, "activations")

    def apply(self, model: nn.Module, settings: Mapping[str, Hashable], example: Tensor) -> nn.Module:
        """The traced network with quantised layers, and a quantiser behind each result, calibrated on `example`.

        Raises:
            UnsupportedError: if torch.fx cannot trace the network, or an operation has no integer form.
        """
        bits: dict[nn.Module, int] = {}
        for site in sorted(settings, key=len):
            chosen = _check_bits(settings[site], site)
            bits |= dict.fromkeys(layers_at(model, site).values(), chosen)
        quantized = {layer: _quantized(layer, width) for layer, width in bits.items()}
        # A layer that is used twice may have several names.
        for name, module in list(model.named_modules(remove_duplicate=False)):
            if module in quantized:
                model.set_submodule(name, quantized[module])
        traced = insert_ranges(model, self.activation_bits)
        calibrate(traced, example)
        return traced


def _quantized(layer: nn.Module, bits: int) -> nn.Module:
    if isinstance(layer, nn.Conv2d):
        return QuantizedConv2d(layer, bits)
    assert isinstance(layer, nn.Linear)
    return QuantizedLinear(layer, bits)


def _check_bits(bits: Hashable, where: str) -> int:
    if isinstance(bits, bool) or not isinstance(bits, int) or bits not in BIT_WIDTHS:
        raise ValueError(f"bits must be one of {tuple(BIT_WIDTHS)}, but got {bits!r} at {where!r}")
    return bits
