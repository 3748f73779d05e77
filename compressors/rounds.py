"""Pruning a little at a time, with training in between."""

import copy
import math
from collections.abc import Callable, Sequence

from torch import Tensor, nn

from compressors.criteria import L2, PruningCriterion
from compressors.groups import Group
from compressors.pruning import check_ratio, least, widths
from compressors.removal import shrink


def prune_in_rounds(
    model: nn.Module,
    ratios: Sequence[float],
    example: Tensor,
    finetune: Callable[[nn.Module], object],
    *,
    criterion: PruningCriterion = L2,
    sites: Sequence[str] = ("",),
) -> nn.Module:
    """A smaller copy of `model`, pruned and then trained in place by `finetune` once for each ratio
    (Molchanov et al., 2017).

    A ratio is the share of the original channels at the sites that are gone after its round: a
    width of C ends as C - floor(ratio · C) of the last ratio. `compressors.schedules.ratios` makes
    ratios of a schedule. The criterion judges anew in each round.

    Raises:
        ValueError: as ChannelPruning does, if there are no ratios, or if they fall.
    """
    for ratio in ratios:
        check_ratio(ratio, "rounds")
    if not ratios or list(ratios) != sorted(ratios):
        raise ValueError(
            f"the ratios of rounds must be at least one, and not fall, but got {list(ratios)}"
        )
    original, model = widths(model), copy.deepcopy(model)
    for ratio in ratios:

        def select(groups: Sequence[Group], ratio: float = ratio) -> list[list[int]]:
            wholes = [original[group.names[0]] for group in groups]
            return [
                least(group, group.width - whole + math.floor(ratio * whole))
                for group, whole in zip(groups, wholes, strict=True)
            ]

        model = shrink(model, dict.fromkeys(sites, ratio), example, criterion, select)
        finetune(model)
    return model
