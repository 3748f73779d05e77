"""Networks of parts, each of which is a space of its own."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor, nn

from nas.space import Choice, Choices, Constraint, Design, PartSpace, SearchSpace, placed
from search_spaces.parts import HEAD, Chain, features


@dataclass(frozen=True)
class LinearHead:
    """A head: global average pooling and a linear layer, for features [N, C, H, W], [N, C, T] or
    [N, C]. The choice is the bit-width of the layer (`linear.bits`).

    Args:
        bits: options for the bit-width
    """

    bits: tuple[int, ...] = (2, 3, 4, 8)

    @property
    def choices(self) -> Choices:
        """The bit-width."""
        return Choices([Choice("linear", "bits", self.bits)])

    def build(self, design: Design, example: Tensor, classes: int) -> nn.Module:  # noqa: ARG002 - no option changes its layers
        """The head for features like `example`."""
        model = nn.Sequential()
        if example.ndim > 2:
            pool = nn.AdaptiveAvgPool1d(1) if example.ndim == 3 else nn.AdaptiveAvgPool2d(1)
            model.add_module("pool", pool)
        model.add_module("flatten", nn.Flatten())
        model.add_module("linear", nn.Linear(example.shape[1], classes))
        return model


@dataclass(frozen=True)
class Stacked:
    """Networks of parts, one after the other as in `Chain`, and a head.

    The choices are those of the parts, from the input on, and those of the head, at "head".

    Args:
        parts: spaces of parts by their names, which become names of modules, from the input on
        head: the space of what makes logits of the features of the last part
        constraints: between choices of different parts, by the names that they have here

    Raises:
        ValueError: if there are no parts, or one is called "head" or "recipe" or has a dot in its name.
    """

    parts: Mapping[str, PartSpace]
    head: SearchSpace = field(default_factory=LinearHead)
    constraints: tuple[Constraint, ...] = ()

    def __post_init__(self) -> None:
        Chain(self.parts)  # refuses names

    @property
    def choices(self) -> Choices:
        """Those of the parts, and then those of the head."""
        body, head = Chain(self.parts).choices, placed(self.head.choices, HEAD)
        constraints = [*body.constraints, *head.constraints, *self.constraints]
        return Choices([*body, *head], constraints)

    def build(self, design: Design, example: Tensor, classes: int) -> nn.Module:
        """The network of a design."""
        model = Chain(self.parts).build_part(design, example)
        head = self.head.build(design.under(HEAD), features(model, example), classes)
        model.add_module(HEAD, head)
        return model
