"""Multilayer perceptrons, for tables and small images."""

from collections.abc import Hashable
from dataclasses import dataclass

from torch import Tensor, nn

from nas import grids
from nas.space import Choice, Choices, Design


@dataclass(frozen=True)
class Mlp:
    """Multilayer perceptrons for inputs [N, …], which are flattened.

    The choices are the number of hidden layers (`depth`), the `width`, pruning ratio (`prune`) and
    bit-width (`bits`) of each hidden layer, and the bit-width of the head. By default the space has
    3,685,950 designs.

    Args:
        layers: the largest number of hidden layers; each number from 1 is an option
        widths: options for the units of a hidden layer, before pruning
        ratios: options for the share of units that are pruned
        bits: options for bit-widths
        features: options for the number of input features that the first layer reads, a choice for
            `FeatureSelection`; without options it reads all
    """

    layers: int = 3
    widths: tuple[int, ...] = (16, 24, 32, 48, 64, 96)
    ratios: tuple[float, ...] = (0.0, 0.25, 0.5)
    bits: tuple[int, ...] = (2, 3, 4, 6, 8)
    features: tuple[int, ...] = ()

    @property
    def choices(self) -> Choices:
        """The depth, the choices of each hidden layer, and the bit-width of the head."""
        depths = grids.integers(1, self.layers)
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
        """The network of a design: hidden layers with batch normalization and ReLU, and a linear
        head.
        """
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
