"""What each group of tied channels costs and does at each pruning ratio."""

import copy
import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from compressors.criteria import L1
from compressors.groups import Group
from compressors.refit import removals_of, set_weights
from compressors.removal import shrink
from nas.layers import named_layers
from nas.measure.divergence import divergence, log_probabilities
from nas.space import Choices


@dataclass(frozen=True)
class Share:
    """The shares of the output and the input channels of a layer that belong to a group."""

    made: float
    read: float


@dataclass(frozen=True)
class GroupOption:
    """The divergence of the output in nats if this share `removed` of the channels of one group is
    pruned and the layers that read it are refitted.
    """

    removed: float
    divergence: float


@dataclass(frozen=True, eq=False)
class GroupOptions:
    """The options of a group by pruning ratio, and its share in each layer.

    `halved` is the network with half of the group's channels, `half` that share of them.
    """

    options: Mapping[float, GroupOption]
    shares: Mapping[str, Share]
    halved: nn.Module
    half: float

    def kept(self, layer: str, ratio: float) -> tuple[float, float]:
        """The shares of the output and of the input channels of a layer that are left at a ratio."""
        removed, share = self.options[ratio].removed, self.shares.get(layer, Share(0.0, 0.0))
        return 1.0 - share.made * removed, 1.0 - share.read * removed

    def divergence(self, ratio: Hashable) -> float:
        """The divergence at a ratio; the largest there is if it is None, of channels that are gone.

        Raises:
            ValueError: if there is no such ratio.
        """
        if ratio is None:
            return max(option.divergence for option in self.options.values())
        if ratio not in self.options:
            raise ValueError(f"a ratio must be one of {tuple(self.options)}, but got {ratio}")
        return self.options[ratio].divergence  # type: ignore[index]

    def share(self, layer: str) -> float:
        """The larger of the shares of the channels of a layer that belong to the group."""
        share = self.shares.get(layer, Share(0.0, 0.0))
        return max(share.made, share.read)


def group_options(model: nn.Module, images: Tensor, choices: Choices) -> dict[str, GroupOptions]:
    """The options of each group that has a choice of a pruning ratio, by the site of the choice.

    Each is measured on `images`, [N, …], with this group alone pruned.
    """
    wanted = log_probabilities(model, images)
    found = dict[str, GroupOptions]()
    for choice in choices:
        if choice.kind != "prune":
            continue
        halved, group = _halved(model, choice.site, images)
        ratios = sorted(float(str(option)) for option in choice.options)
        half = group.width // 2 / group.width
        found[choice.site] = GroupOptions(
            _measured(model, images, wanted, group, ratios),
            _shares(model, halved, half),
            halved,
            half,
        )
    return found


def _halved(model: nn.Module, site: str, images: Tensor) -> tuple[nn.Module, Group]:
    seen = list[Group]()

    def first_half(groups: Sequence[Group]) -> list[list[int]]:
        seen.extend(groups)
        return [list(range(group.width // 2)) for group in groups]

    halved = shrink(copy.deepcopy(model), {site: 0.5}, images[:2], L1, first_half, "follow")
    if len(seen) != 1:
        raise ValueError(
            f"a pruning ratio must be that of one group of tied channels, but {site!r} has {len(seen)}"
        )
    return halved, seen[0]


def _measured(
    model: nn.Module, images: Tensor, wanted: Tensor, group: Group, ratios: Sequence[float]
) -> dict[float, GroupOption]:
    counts = {ratio: math.floor(ratio * group.width) for ratio in ratios}
    options = {ratio: GroupOption(0.0, 0.0) for ratio, count in counts.items() if count == 0}
    pruned = copy.deepcopy(model)
    for number, (_, weights) in enumerate(removals_of(group, model, model, images)):
        if number > 0 and number in counts.values():
            for name, values in weights.items():
                set_weights(named_layers(pruned)[name], values)
            reached = divergence(wanted, log_probabilities(pruned, images))
            share = number / group.width
            options |= {
                ratio: GroupOption(share, reached)
                for ratio, count in counts.items()
                if count == number
            }
        if number == max(counts.values()):
            break
    return options


def _shares(model: nn.Module, halved: nn.Module, half: float) -> dict[str, Share]:
    """The shares of a group in the sides of weights, from those by which `half` of it shortens
    them.
    """
    shares, left = dict[str, Share](), named_layers(halved)
    for name, layer in named_layers(model).items():
        before, after = layer.weight.shape, left[name].weight.shape
        made, read = ((1.0 - after[side] / before[side]) / half for side in (0, 1))
        if made or read:
            shares[name] = Share(made, read)
    return shares
