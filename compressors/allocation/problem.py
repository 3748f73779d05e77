"""The allocation of widths and bits as a knapsack: predicted costs, and the design of least
divergence within limits.
"""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from compressors.allocation.group_options import GroupOptions
from compressors.allocation.knapsack import Item, Layer, least_loss
from compressors.allocation.layer_options import READ, LayerOption, divergence_at

SIZE, MACS, MEMORY = "size_bytes", "macs", "peak_memory_bytes"
# A multiplier of two bytes, and a bias of about two.
BYTES_OF_CHANNEL = 4.0
# A layer that reads three or more groups counts as if the smaller shares were not pruned.
GROUPS_OF_LAYER = 2


@dataclass(frozen=True)
class Selected:
    """The pruning ratio of each group, and the option of each layer, by their names."""

    ratios: Mapping[str, float]
    options: Mapping[str, LayerOption]


@dataclass(frozen=True, eq=False)
class Live:
    """Bytes of activations while each operation runs, [operations], and how many of them the
    channels of each group take.
    """

    total: NDArray[np.float64]
    of_group: Mapping[str, NDArray[np.float64]]


@dataclass(frozen=True, eq=False)
class Problem:
    """What can be chosen, and what it is predicted to cost.

    Args:
        groups: the options of each group of tied channels
        layers: the options of each layer that no other one beats in bytes and divergence
        channels: the output channels of each layer
        macs: the multiply-accumulates of each layer
        live: the memory of activations
        measured: all options of each layer
    """

    groups: Mapping[str, GroupOptions]
    layers: Mapping[str, tuple[LayerOption, ...]]
    channels: Mapping[str, int]
    macs: Mapping[str, int]
    live: Live
    measured: Mapping[str, tuple[LayerOption, ...]]

    def smallest(self) -> Selected:
        """The design with the highest ratios and the fewest bytes."""
        ratios = {name: max(group.options) for name, group in self.groups.items()}
        return Selected(ratios, {name: options[0] for name, options in self.layers.items()})

    def costs(self, selected: Selected) -> dict[str, float]:
        """The predicted costs of a design, the bytes without what all files have."""
        of_layers = sum(
            self._of_layer(
                name, option, {group: selected.ratios[group] for group in self._groups_of(name)}
            )
            for name, option in selected.options.items()
        )
        live = self.live.total - sum(
            self.groups[name].options[ratio].removed * self.live.of_group[name]
            for name, ratio in selected.ratios.items()
        )
        size, macs = np.zeros(2) + of_layers
        return {SIZE: size, MACS: macs, MEMORY: float(np.max(live))}

    def divergence(self, design: Mapping[str, Hashable]) -> float:
        """The predicted divergence of the output under a design of the space, in nats: the sum of
        those that its options have alone.

        What was not measured counts as what is most like it: a codebook of n values as weights of
        log2 n bits, and a group or layer of a dropped block, of which nothing is left, as its
        option of largest divergence.

        Raises:
            ValueError: if a group or a layer has other options than those of the space.
        """
        of_groups = (
            group.divergence(design.get(f"{name}.prune")) for name, group in self.groups.items()
        )
        of_layers = (
            divergence_at(options, {kind: design.get(f"{name}.{kind}") for kind in READ})
            for name, options in self.measured.items()
        )
        return sum(of_groups) + sum(of_layers)

    def least_divergence(self, limits: Mapping[str, float]) -> Selected | None:
        """The design of least divergence in all within limits of predicted costs; None if there is
        none.
        """
        names = {layer: self._groups_of(layer) for layer in self.layers}
        most = [limits.get(SIZE, np.inf), limits.get(MACS, np.inf)]
        live = [limits.get(MEMORY, np.inf) - bytes_ for bytes_ in self.live.total]
        idle = np.zeros(len(live))
        groups = {
            name: {
                ratio: Item(
                    option.divergence,
                    np.concatenate([[0, 0], -option.removed * self.live.of_group[name]]),
                )
                for ratio, option in group.options.items()
            }
            for name, group in self.groups.items()
        }
        layers = {
            name: Layer(
                names[name],
                {
                    key: {
                        number: Item(
                            option.divergence,
                            np.concatenate(
                                [
                                    self._of_layer(
                                        name, option, dict(zip(names[name], key, strict=True))
                                    ),
                                    idle,
                                ]
                            ),
                        )
                        for number, option in enumerate(options)
                    }
                    for key in product(*(self.groups[group].options for group in names[name]))
                },
            )
            for name, options in self.layers.items()
        }
        found = least_loss(groups, layers, np.array([*most, *live]))
        if found is None:
            return None
        ratios, numbers = found
        return Selected(
            ratios, {name: self.layers[name][number] for name, number in numbers.items()}
        )

    def _groups_of(self, layer: str) -> tuple[str, ...]:
        """The groups with the largest shares in a layer."""
        shares = {name: group.share(layer) for name, group in self.groups.items()}
        found = sorted(
            (name for name in shares if shares[name] > 0), key=lambda name: -shares[name]
        )
        return tuple(found[:GROUPS_OF_LAYER])

    def _of_layer(
        self, layer: str, option: LayerOption, ratios: Mapping[str, float]
    ) -> NDArray[np.float64]:
        """The bytes and multiply-accumulates of a layer, [2]."""
        kept = [self.groups[name].kept(layer, ratio) for name, ratio in ratios.items()]
        weights = float(np.prod([made * read for made, read in kept]))
        channels = self.channels[layer] * float(np.prod([made for made, _ in kept]))
        return np.array(
            [
                option.size_bytes * weights + BYTES_OF_CHANNEL * channels,
                self.macs.get(layer, 0) * weights,
            ]
        )
