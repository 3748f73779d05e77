"""What a search space is to a search."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

from nas.space.choices import Choices
from nas.space.design import Design

if TYPE_CHECKING:
    from torch import Tensor, nn


class SearchSpace(Protocol):
    """Choices, and a function that builds a network from a design."""

    @property
    def choices(self) -> Choices:
        """The choices of the space."""
        ...

    def build(self, design: Design, example: Tensor, classes: int) -> nn.Module:
        """A network for inputs like `example`, [N, …], that gives logits [N, classes].

        Its only randomness is torch's global generator, which the caller seeds. The network may be
        trained already; the run trains it further.
        """
        ...


class PartSpace(Protocol):
    """A space whose networks are parts of others: they have features as output, and no classes.

    `search_spaces.Stacked` makes a search space of them. A part must not tie the channels of its
    input to others, as a sum with the input would: those belong to the part before.
    """

    @property
    def choices(self) -> Choices:
        """The choices of the part, at sites within it; "" is the part itself."""
        ...

    def build_part(self, design: Design, example: Tensor) -> nn.Module:
        """The part of a design for inputs like `example`, [N, …], which gives features [N, …]. Its
        only randomness is torch's global generator.
        """
        ...


@runtime_checkable
class TrainedSpace(Protocol):
    """A space whose networks come trained, so that the file of a candidate can be made, and its
    length known, before the candidate is trained further.
    """

    @property
    def comes_trained(self) -> bool:
        """Whether the networks that `build` gives are trained."""
        ...
