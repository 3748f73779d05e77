"""Structured pruning: channels are removed, together with everything that depends on them."""

import copy
import math
from collections.abc import Hashable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import get_args

import torch
from torch import Tensor, nn

from compressors.criteria import L1, L2, PruningCriterion, check_threshold
from compressors.groups import Group, Unstated, is_depthwise
from compressors.removal import shrink
from nas.layers import named_layers
from nas.tracing import independent_copy


@dataclass(frozen=True)
class ChannelPruning:
    """Removes the chosen share of the output channels of the layers at each site, the least
    important first.

    Channels that the network ties together, by residual sums or depthwise convolutions, are removed
    as one group. A width of C becomes C - floor(ratio · C), so costs follow from the ratios alone;
    `prune_globally` and `prune_below`, where the weights decide about widths, are for use without a
    search. The layers that give the logits keep their channels, and depthwise convolutions have
    those of the layer before them. If two sites cover the same layer, the inner one decides.

    Args:
        criterion: the importance of channels
        unstated: what to do with a group if only some of its layers have a ratio: "refuse" it, or
            "follow" the ratio, so that a choice at one layer of each group, as `prunable` lists
            them, is enough
        kind: the kind of choices that is applied

    Raises:
        ValueError: if `unstated` is neither "refuse" nor "follow".
    """

    criterion: PruningCriterion = L2
    unstated: Unstated = "refuse"
    kind: str = "prune"

    def __post_init__(self) -> None:
        if self.unstated not in (known := get_args(Unstated)):
            raise ValueError(f"unstated must be one of {known}, but got {self.unstated!r}")

    def apply(
        self, model: nn.Module, settings: Mapping[str, Hashable], example: Tensor
    ) -> nn.Module:
        """The smaller network.

        Raises:
            ValueError: if a ratio is not in [0, 1), a site has only depthwise convolutions or
                layers that give the logits, tied layers have different ratios, or the smaller
                network does not give the outputs of the network with these channels at zero.
        """
        ratios = {site: check_ratio(settings[site], site) for site in settings}
        return shrink(model, ratios, example, self.criterion, _least_of_each, self.unstated)


def prune(
    model: nn.Module,
    ratio: float | Mapping[str, float],
    example: Tensor,
    *,
    criterion: PruningCriterion = L2,
) -> nn.Module:
    """A smaller copy of `model`: one ratio is for every layer, a mapping has one for each site.

    >>> model = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 6 * 6, 10))
    >>> smaller = prune(model, 0.5, torch.rand(4, 1, 8, 8))
    >>> widths(smaller)
    {'0': 4, '3': 10}
    >>> smaller(torch.rand(1, 1, 8, 8)).shape
    torch.Size([1, 10])

    `example` is a batch of inputs, [N, …].

    Raises:
        ValueError: as ChannelPruning does.
    """
    ratios = ratio if isinstance(ratio, Mapping) else {"": ratio}
    return ChannelPruning(criterion).apply(independent_copy(model), ratios, example)


def prune_globally(
    model: nn.Module,
    ratio: float,
    example: Tensor,
    *,
    criterion: PruningCriterion = L2,
    sites: Sequence[str] = ("",),
) -> nn.Module:
    """A copy of `model` without floor(ratio · N) of the N channels at the sites, the least
    important of all layers together.

    Importances are relative to the mean of their group. Every group keeps at least one channel.
    Tied channels count once. `example` is a batch of inputs, [N, …].

    Raises:
        ValueError: as ChannelPruning does, or if the ratio leaves less than one channel to each
            group.
    """
    check_ratio(ratio, "all sites together")

    def select(groups: Sequence[Group]) -> list[list[int]]:
        total = sum(group.width for group in groups)
        count = math.floor(ratio * total)
        if total - count < len(groups):
            found = [list(group.names) for group in groups]
            raise ValueError(
                f"a ratio must leave a channel at each of {found}, but {ratio} removes {count} of {total}"
            )
        relative = [group.importance / group.importance.mean().clamp_min(1e-30) for group in groups]
        ranking = sorted(
            (float(value), at, channel)
            for at, values in enumerate(relative)
            for channel, value in enumerate(values)
        )
        cuts: list[list[int]] = [[] for _ in groups]
        for _, at, channel in ranking:
            if count > 0 and len(cuts[at]) < groups[at].width - 1:
                cuts[at].append(channel)
                count -= 1
        return [sorted(cut) for cut in cuts]

    return shrink(independent_copy(model), dict.fromkeys(sites, ratio), example, criterion, select)


def prune_below(
    model: nn.Module,
    threshold: float,
    example: Tensor,
    *,
    criterion: PruningCriterion = L2,
    sites: Sequence[str] = ("",),
) -> nn.Module:
    """A copy of `model` without the channels at the sites whose importance is below `threshold`.

    `example` is a batch of inputs, [N, …].

    Raises:
        ValueError: as ChannelPruning does, if the threshold is not positive and finite, or if a
            group would lose all channels.
    """
    check_threshold(threshold)

    def select(groups: Sequence[Group]) -> list[list[int]]:
        for group in groups:
            if bool((group.importance < threshold).all()):
                best = float(group.importance.max())
                raise ValueError(
                    f"a threshold must be at most {best:g} to leave a channel at {list(group.names)}, but is {threshold}"
                )
        return [(group.importance < threshold).nonzero().flatten().tolist() for group in groups]

    return shrink(
        independent_copy(model), dict.fromkeys(sites, threshold), example, criterion, select
    )


def prunable(model: nn.Module, example: Tensor) -> list[tuple[str, ...]]:
    """The names of the layers in each group of two or more channels that can be pruned, in the
    order of the network.

    >>> model = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Conv2d(8, 4, 1), nn.Flatten(), nn.Linear(144, 10))
    >>> prunable(model, torch.rand(1, 1, 8, 8))
    [('0',), ('2',)]

    Groups that `ChannelPruning` would refuse are left out, as are the layers that give the logits.
    With `unstated="follow"`, a ratio at one layer of each group is enough. `example` is a batch of
    inputs, [N, …].
    """
    model, found = independent_copy(model), list[tuple[str, ...]]()
    for name, layer in named_layers(model).items():
        if is_depthwise(layer) or any(name in group for group in found):
            continue
        seen = list[Group]()
        with suppress(ValueError):
            shrink(
                copy.deepcopy(model),
                {name: 0.5},
                example,
                L1,
                partial(_first_of_each, seen),
                "follow",
            )
            found += [group.names for group in seen if group.width > 1]
    return found


def widths(model: nn.Module) -> dict[str, int]:
    """The number of output channels of each convolution and linear layer, by name."""
    return {name: layer.weight.shape[0] for name, layer in named_layers(model).items()}


def least(group: Group, count: int) -> list[int]:
    """The `count` least important channels, in ascending order."""
    removed: list[int] = torch.sort(group.importance.argsort(stable=True)[:count]).values.tolist()
    return removed


def _first_of_each(seen: list[Group], groups: Sequence[Group]) -> list[list[int]]:
    """The first channel of each group that has more; the groups are added to `seen`."""
    seen.extend(groups)
    return [[0] if group.width > 1 else [] for group in groups]


def _least_of_each(groups: Sequence[Group]) -> list[list[int]]:
    return [least(group, math.floor(group.value * group.width)) for group in groups]


def check_ratio(ratio: Hashable, site: str) -> float:
    """The ratio as a float.

    Raises:
        ValueError: if it is not a number in [0, 1).
    """
    if isinstance(ratio, bool) or not isinstance(ratio, (int, float)) or not 0.0 <= ratio < 1.0:
        raise ValueError(
            f"a pruning ratio must be at least 0 and below 1, but got {ratio!r} at {site!r}"
        )
    return float(ratio)
