"""Codebooks: few values, and for each weight the index of its value (Han et al., 2016)."""

import torch
from torch import Tensor, nn

from nas.quantize.weight_levels import affine_levels, straight_through, weight_levels


class Codebook(nn.Module):
    """The weights `values[assignments]`, in the shape of the assignments.

    Values are rounded to levels of `bits` bits, 2 to 8, with one scale for all of them; levels are
    affine or symmetric. A value of 0 stays 0 in training, and the gradient of a value is the sum of
    the gradients of its weights. Weights [out, in, H, W] are in channels-last order if `channels_last`,
    until `to` changes the memory format.
    """

    assignments: Tensor
    free: Tensor
    order: Tensor

    def __init__(
        self,
        values: Tensor,
        assignments: Tensor,
        bits: int,
        affine: bool = False,
        channels_last: bool = True,
    ) -> None:
        super().__init__()
        self.shape, self.bits, self.affine = assignments.shape, bits, affine
        self.values = nn.Parameter(values.detach().clone())
        # Flat, so that a change of memory format leaves them alone, and in the narrowest integers
        # that can index.
        self.register_buffer("assignments", assignments.flatten().to(torch.int32))
        self.register_buffer("free", (values != 0).to(values.dtype))
        # Tells the memory format, which `to` changes in tensors of four dimensions.
        order = torch.channels_last if channels_last else torch.contiguous_format
        self.register_buffer("order", torch.zeros(2, 2, 2, 2).to(memory_format=order), False)

    def forward(self) -> Tensor:
        """The rounded weights; the gradient passes straight through the rounding."""
        row = (self.values * self.free)[None]
        weights = self._selected(straight_through(row, *self._rounded(row)))
        # A convolution follows the memory format of its weights.
        if weights.ndim != 4 or self.order.is_contiguous():
            return weights
        return torch.empty(self.shape, memory_format=torch.channels_last).copy_(weights)

    def unrounded(self) -> Tensor:
        """The weights before they are rounded."""
        return self._selected(self.values * self.free)

    def levels(self) -> tuple[Tensor, Tensor]:
        """The level of each weight, and the scale of each output channel, [out]."""
        levels, scale = self._rounded((self.values * self.free)[None])
        return self._selected(levels), scale.repeat(self.shape[0])

    def _rounded(self, row: Tensor) -> tuple[Tensor, Tensor]:
        return affine_levels(row, self.bits) if self.affine else weight_levels(row, self.bits)

    def _selected(self, values: Tensor) -> Tensor:
        return values.flatten().index_select(0, self.assignments).view(self.shape)
