"""The order in which the elements of a tensor lie in memory.

Images and signals are stored channels last, so that the numbers that a convolution multiplies lie
side by side; flattening one leaves a vector whose elements are in the order of the image.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nas.program.tensors import Shape, TensorType


@dataclass(frozen=True)
class Order:
    """`count` elements, in `channels` rows of the tensor's own order; stored are the columns."""

    count: int
    channels: int

    @property
    def natural(self) -> bool:
        """Whether elements lie in the tensor's own order."""
        return self.channels in (1, self.count)

    @property
    def elements(self) -> NDArray[np.int64]:
        """Which element of the tensor lies at each place."""
        return np.arange(self.count).reshape(self.channels, -1).T.ravel()

    def same_as(self, other: "Order") -> bool:
        """Whether both orders put each element at the same place."""
        return self.channels == other.channels or (self.natural and other.natural)


def channels_last(tensor: TensorType) -> Order:
    """The order of images and signals; vectors are in their own."""
    return Order(tensor.size, tensor.shape[0])


def pixels(shape: Shape) -> int:
    """How many elements each channel has."""
    return int(np.prod(shape[1:], dtype=np.int64))
