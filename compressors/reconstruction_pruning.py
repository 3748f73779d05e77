"""Structured pruning by reconstruction: what reads the channels that are left is refitted."""

import copy
import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from compressors.criteria import L2
from compressors.groups import Group
from compressors.pruning import check_ratio, least
from compressors.refit import removals_of, set_weights
from compressors.removal import shrink
from nas.layers import named_layers

FEWEST_EXAMPLES = 8


@dataclass(frozen=True)
class ReconstructionPruning:
    """Removes the chosen share of the channels of each group, and refits the layers that read it by
    least squares to give the outputs that they had before.

    Channels go one after the other, that of the least error at its readers first (Luo et al., 2017;
    Kurtic et al., 2023). Without training, this keeps far more of a trained network than
    `ChannelPruning` does, whose widths are the same: a width of C becomes C - floor(ratio · C).
    A choice at one layer of each group, as `prunable` lists them, is enough.

    Args:
        kind: the kind of choices that is applied
    """

    kind: str = "prune"

    def apply(
        self, model: nn.Module, settings: Mapping[str, Hashable], example: Tensor
    ) -> nn.Module:
        """The smaller network; some hundred examples, [N, …], are enough. Fewer than eight do not say
        what layers read: then channels go by their norms, and nothing is refitted.

        Raises:
            ValueError: as ChannelPruning does.
        """
        ratios = {site: check_ratio(settings[site], site) for site in settings}
        original = copy.deepcopy(model)

        def refitted(groups: Sequence[Group]) -> list[list[int]]:
            return [_refitted(group, model, original, example) for group in groups]

        def plain(groups: Sequence[Group]) -> list[list[int]]:
            return [least(group, _count(group)) for group in groups]

        select = refitted if len(example) >= FEWEST_EXAMPLES else plain
        return shrink(model, ratios, example[:2], L2, select, "follow")


def _count(group: Group) -> int:
    return math.floor(group.value * group.width)


def _refitted(group: Group, model: nn.Module, original: nn.Module, images: Tensor) -> list[int]:
    """The channels of a group to remove; the layers of `model` that read it no longer read them."""
    count = _count(group)
    if count == 0 or not group.readers:
        return least(group, count)
    removed = list[int]()
    for channel, weights in removals_of(group, model, original, images):
        removed += [channel] if channel >= 0 else []
        if len(removed) == count:
            for name, values in weights.items():
                set_weights(named_layers(model)[name], values)
            break
    return sorted(removed)
