"""Layers whose weights share the few values of a codebook."""

import torch
from torch import Tensor, nn

from nas.layers import WeightLayer, constructor_arguments
from nas.mask import carry_mask
from nas.quantize.codebook import Codebook
from nas.quantize.integer_layer import IntegerLayer


class CodebookLayer(IntegerLayer):
    """A layer whose weights are those of `codebook`; abstract."""

    codebook: Codebook

    @property
    def bits(self) -> int:
        """Bits of an entry's level, 2 to 8."""
        return self.codebook.bits

    @property
    def affine(self) -> bool:
        """Whether the levels of the entries are affine."""
        return self.codebook.affine

    @property
    def entries(self) -> int:
        """The size of the codebook."""
        return len(self.codebook.values)

    def rounded_weight(self) -> Tensor:
        """The weights of the rounded codebook."""
        rounded: Tensor = self.codebook()
        return rounded

    def levels(self) -> tuple[Tensor, Tensor]:
        """The levels of the codebook, spread over the weights, and its scale for every channel."""
        return self.codebook.levels()

    def rescale(self, ratio: Tensor) -> None:
        """Multiplies the codebook by the largest ratio.

        All channels have one scale, so their ratios are the same but for channels without weights.
        """
        with torch.no_grad():
            self.codebook.values.mul_(ratio.max())


class SharedConv1d(CodebookLayer, nn.Conv1d):
    """A convolution of signals with the weights of a codebook, sharing its bias and mask with `layer`."""

    def __init__(self, layer: nn.Conv1d, codebook: Codebook) -> None:
        super().__init__(**constructor_arguments(layer))
        del self._parameters["weight"]
        self.bias, self.codebook = layer.bias, codebook
        carry_mask(layer, self)

    @property
    def weight(self) -> Tensor:  # type: ignore[override]
        """The weights before they are rounded."""
        return self.codebook.unrounded()

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - the name that torch gives it
        """The convolution with the rounded weights."""
        outputs: Tensor = self._conv_forward(input, self.rounded_weight(), self.bias)
        return outputs


class SharedConv2d(CodebookLayer, nn.Conv2d):
    """A convolution with the weights of a codebook, sharing its bias and mask with `layer`."""

    def __init__(self, layer: nn.Conv2d, codebook: Codebook) -> None:
        super().__init__(**constructor_arguments(layer))
        del self._parameters["weight"]
        self.bias, self.codebook = layer.bias, codebook
        carry_mask(layer, self)

    @property
    def weight(self) -> Tensor:  # type: ignore[override]
        """The weights before they are rounded."""
        return self.codebook.unrounded()

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - the name that torch gives it
        """The convolution with the rounded weights."""
        outputs: Tensor = self._conv_forward(input, self.rounded_weight(), self.bias)
        return outputs


class SharedLinear(CodebookLayer, nn.Linear):
    """A linear layer with the weights of a codebook, sharing its bias and mask with `layer`."""

    def __init__(self, layer: nn.Linear, codebook: Codebook) -> None:
        super().__init__(**constructor_arguments(layer))
        del self._parameters["weight"]
        self.bias, self.codebook = layer.bias, codebook
        carry_mask(layer, self)

    @property
    def weight(self) -> Tensor:  # type: ignore[override]
        """The weights before they are rounded."""
        return self.codebook.unrounded()

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - the name that torch gives it
        """The product with the rounded weights."""
        return nn.functional.linear(input, self.rounded_weight(), self.bias)


def shared_layer(
    layer: WeightLayer, codebook: Codebook
) -> SharedConv1d | SharedConv2d | SharedLinear:
    """The layer in the place of `layer` whose weights are those of `codebook`."""
    if isinstance(layer, nn.Conv1d):
        return SharedConv1d(layer, codebook)
    if isinstance(layer, nn.Conv2d):
        return SharedConv2d(layer, codebook)
    return SharedLinear(layer, codebook)
