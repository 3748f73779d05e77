"""Multilayer perceptrons, for tables and small images."""

from collections.abc import Hashable
from dataclasses import dataclass

from torch import Tensor, nn

from nas.space import Choice, Choices, Design


@dataclass(frozen=True)
class Mlp:
    """Up to `layers` hidden layers, each with a width, a pruning ratio and a bit-width, and a
    bit-width for the head.

    Inputs of any shape [N, …] are flattened. Where `features` has numbers of them, how many the
    first layer reads is a choice too.
    """

    layers: int = 3
    widths: tuple[int, ...] = (16, 24, 32, 48, 64, 96)
    ratios: tuple[float, ...] = (0.0, 0.25, 0.5)
    bits: tuple[int, ...] = (2, 3, 4, 6, 8)
    features: tuple[int, ...] = ()

    @property
    def choices(self) -> Choices:
        """The depth, then what each hidden layer is, then the bits of the head."""
        depths = tuple(range(1, self.layers + 1))
        choices = [Choice("", "depth", depths)]
        if self.features:
            choices.append(Choice("hidden0", "features", self.features))
        for layer in range(self.layers):
            when: tuple[str, frozenset[Hashable]] = ("depth", frozenset(depths[layer:]))
            site = f"hidden{layer}"
            choices += [
                Choice(site, "width", self.widths, when),
                Choice(site, "prune", self.ratios, when),
            ]
            choices.append(Choice(site, "bits", self.bits, when))
        return Choices([*choices, Choice("head", "bits", self.bits)])

    def build(self, design: Design, example: Tensor, classes: int) -> nn.Module:
        """Hidden layers of linear, batch normalization and ReLU under a linear head."""
        features = example[0].numel()
        model = nn.Sequential()
        model.add_module("flatten", nn.Flatten())
        for layer in range(design.integer("depth")):
            width = design.integer(f"hidden{layer}.width")
            model.add_module(
                f"hidden{layer}",
                nn.Sequential(
                    nn.Linear(features, width, bias=False), nn.BatchNorm1d(width), nn.ReLU()
                ),
            )
            features = width
        model.add_module("head", nn.Linear(features, classes))
        return model
