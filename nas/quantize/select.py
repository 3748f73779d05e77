"""Selection of channels or features, which an integer program gathers."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Select(nn.Module):
    """The entries `indices` of dimension 1, in this order.

    Raises:
        ValueError: if there are no indices, or one is negative.
    """

    indices: Tensor

    def __init__(self, indices: Sequence[int]) -> None:
        super().__init__()
        if not indices or min(indices) < 0:
            raise ValueError(
                f"indices must be 0 or more, and at least one, but got {list(indices)}"
            )
        self.register_buffer("indices", torch.tensor(indices, dtype=torch.int64))

    def forward(self, x: Tensor) -> Tensor:
        """The selected entries, [N, len(indices), …], of x [N, C, …]."""
        return x.index_select(1, self.indices)
