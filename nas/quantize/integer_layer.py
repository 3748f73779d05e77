"""What the layers of an integer program have in common, whatever their weights are rounded by."""

from abc import ABC, abstractmethod
from typing import get_args

from torch import Tensor, nn

from nas.layers import WeightLayer, constructor_arguments


class IntegerLayer(nn.Module, ABC):
    """A convolution or linear layer whose weights are integer levels times a scale for each output
    channel; abstract.
    """

    @property
    @abstractmethod
    def bits(self) -> int:
        """Bits of a level, 1 to 8."""

    @property
    @abstractmethod
    def affine(self) -> bool:
        """Whether levels are any 2^bits consecutive integers with 0 among them, or symmetric
        otherwise.
        """

    @property
    @abstractmethod
    def entries(self) -> int | None:
        """The size of the codebook that weights share; None if each weight has its own value."""

    @abstractmethod
    def rounded_weight(self) -> Tensor:
        """The weights rounded to their levels, with a gradient."""

    @abstractmethod
    def levels(self) -> tuple[Tensor, Tensor]:
        """The level of each weight, [out, in, …], and the scale of each output channel, [out]."""

    @abstractmethod
    def rescale(self, ratio: Tensor) -> None:
        """Multiplies the weights of each output channel by a ratio, [out], in place; levels stay
        the same.
        """


def dense(layer: WeightLayer) -> WeightLayer:
    """A plain layer of torch with the unrounded weights and the bias of `layer`, in its mode."""
    (kind,) = (kind for kind in get_args(WeightLayer) if isinstance(layer, kind))
    plain: WeightLayer = kind(**constructor_arguments(layer))
    plain.weight, plain.bias = nn.Parameter(layer.weight.detach()), layer.bias
    return plain.train(layer.training)
