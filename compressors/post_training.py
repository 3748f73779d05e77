"""Post-training quantization: quantization of a trained network without further training."""

import copy
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field

from torch import Tensor, nn

from compressors.quantization import Quantization, check_activation_bits, quantize, quantize_layers
from nas.quantize import (
    ActivationQuantizer,
    DynamicQuantizer,
    correct_biases,
    equalized,
    insert_quantizers,
)
from nas.tracing import independent_copy


@dataclass(frozen=True)
class PostTraining:
    """Quantization to the chosen 1 to 8 bits for recipes without fine-tuning.

    Batch normalization is folded and the ranges of channels are equalized across layers before
    quantization, and the mean error of each channel is subtracted from its bias afterwards (Nagel
    et al., 2019).

    Args:
        method: how weights and activations are quantized
        kind: the kind of choices that is applied
    """

    method: Quantization = field(default_factory=Quantization)
    kind: str = "bits"

    def apply(
        self, model: nn.Module, settings: Mapping[str, Hashable], example: Tensor
    ) -> nn.Module:
        """The network traced by torch.fx, with quantized layers and activation quantizers that are
        calibrated on `example`.

        Raises:
            ValueError: if a bit-width is not in 1 … 8, or a site holds no layer.
            UnsupportedError: if torch.fx cannot trace the network, an operation has no integer
                form, or layers with normalization share their weights already.
        """
        floating = equalized(model, example)
        quantized = self.method.apply(copy.deepcopy(floating), settings, example)
        correct_biases(quantized, floating, example)
        return quantized

    def requantize(self, model: nn.Module, settings: Mapping[str, Hashable]) -> None:
        """Gives the layers of a network that `apply` has quantized other bits, in place, as
        `Quantization.requantize` does: the biases are not corrected again.
        """
        self.method.requantize(model, settings)


def quantize_trained(
    model: nn.Module,
    bits: int | Mapping[str, int],
    calibration: Tensor,
    method: Quantization | None = None,
) -> nn.Module:
    """A copy of a trained network, quantized without further training as `PostTraining` does; it
    can be lowered.

    `bits` is one bit-width for all layers, or one for each site; `calibration` is a batch of
    inputs, [N, …], for the ranges of activations; `method` is `Quantization()` unless given.

    >>> import torch
    >>> from torch import nn
    >>> images = torch.rand(64, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    >>> model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(144, 10))
    >>> small = quantize_trained(model, 4, images, Quantization(weight_scales="tensor", activations="fixed", ranges="entropy"))
    >>> bool((small(images) - model.eval()(images)).abs().max() < 0.5)
    True

    Raises:
        ValueError: if a bit-width is not in 1 … 8, or a site holds no layer.
        UnsupportedError: if torch.fx cannot trace the network, or an operation has no integer form.
    """
    return quantize(model, bits, calibration, PostTraining(method or Quantization()))


def quantize_dynamic(model: nn.Module, bits: int, activation_bits: int = 8) -> nn.Module:
    """A quantized copy of a network with dynamic ranges: each batch sets the ranges of its own
    activations.

    It needs no calibration and cannot be lowered, because the scales of a program are constants.

    >>> import torch
    >>> from torch import nn
    >>> model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    >>> quantize_dynamic(model, 8)(torch.ones(3, 4)).shape
    torch.Size([3, 2])

    Raises:
        ValueError: if `bits` is not in 1 … 8, or `activation_bits` not in 2 … 8.
        UnsupportedError: if torch.fx cannot trace the network, or an operation has no integer form.
    """
    model = independent_copy(model)
    quantize_layers(model, {"": bits}, "max", "channel")
    traced = insert_quantizers(model, check_activation_bits(activation_bits), "fixed")
    for name, module in list(traced.named_modules()):
        if isinstance(module, ActivationQuantizer):
            traced.set_submodule(name, DynamicQuantizer(module.bits, rectified=module.rectified))
    return traced
