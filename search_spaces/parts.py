"""Parts of networks that are made of other spaces."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nas.space import Choices, Constraint, Design, PartSpace, SearchSpace, placed

HEAD = "head"
_TAKEN = (HEAD, "recipe")


@dataclass(frozen=True)
class Chain:
    """Parts, one after the other, as one part: each is built for what the one before gives.

    The choices are those of the parts, from the input on, each at the site of its part: `width` of
    the part "stem" is "stem.width".

    Args:
        parts: spaces of parts by their names, which become names of modules, from the input on
        constraints: between choices of different parts, by the names that they have here

    Raises:
        ValueError: if there are no parts, or one is called "head" or "recipe" or has a dot in its name.
    """

    parts: Mapping[str, PartSpace]
    constraints: tuple[Constraint, ...] = ()

    def __post_init__(self) -> None:
        names = [*self.parts]
        if not names or any(not name or "." in name or name in _TAKEN for name in names):
            raise ValueError(
                f"a chain must have parts with names without dots, and none of {_TAKEN}, but got {names}"
            )

    @property
    def choices(self) -> Choices:
        """Those of all parts, and their constraints before those of the chain."""
        found = [placed(part.choices, site) for site, part in self.parts.items()]
        inner = [constraint for each in found for constraint in each.constraints]
        return Choices([choice for each in found for choice in each], [*inner, *self.constraints])

    def build_part(self, design: Design, example: Tensor) -> nn.Sequential:
        """The parts of a design, by their names."""
        model = nn.Sequential()
        for site, part in self.parts.items():
            made = part.build_part(design.under(site), example)
            model.add_module(site, made)
            example = features(made, example)
        return model


@dataclass(frozen=True)
class Trunk:
    """The networks of a space up to their global average pooling, as a part of others.

    The choices are those of the space but for the ones of its head.

    Args:
        space: its networks are an `nn.Sequential` with a module "pool" behind the features and a
            module "head", as those of most spaces here: `ConvBlocks`, `ConvStages`, `Mobile`,
            `ResidualStages`, `DsCnn`, `Cell` and `Temporal`
    """

    space: SearchSpace

    @property
    def choices(self) -> Choices:
        """Those of the space without the ones of the head."""
        given = self.space.choices
        return Choices([choice for choice in given if choice.site != HEAD], given.constraints)

    def build_part(self, design: Design, example: Tensor) -> nn.Module:
        """The layers before the pooling.

        Raises:
            ValueError: if the network has no module "pool".
        """
        network = self.space.build(design, example, 1)
        layers = dict(network.named_children())
        if not isinstance(network, nn.Sequential) or "pool" not in layers:
            raise ValueError(
                f"a trunk must be of networks with a module 'pool' behind their features, but this one has {[*layers]}"
            )
        model = nn.Sequential()
        for name, layer in layers.items():
            if name == "pool":
                break
            model.add_module(name, layer)
        return model


def features(part: nn.Module, example: Tensor) -> Tensor:
    """What a part gives for an example, which leaves no trace in it, as statistics of batches would."""
    with torch.no_grad():
        found: Tensor = copy.deepcopy(part).eval()(example.clone())
    return found
