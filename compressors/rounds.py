"""Iterative pruning: a few channels at a time, with training in between."""

import math
from collections.abc import Callable, Sequence

from torch import Tensor, nn

from compressors.criteria import L2, PruningCriterion
from compressors.groups import Group
from compressors.pruning import check_ratio, least, widths
from compressors.removal import shrink
from nas.tracing import independent_copy


def prune_in_rounds(
    model: nn.Module,
    ratios: Sequence[float],
    example: Tensor,
    finetune: Callable[[nn.Module], object],
    *,
    criterion: PruningCriterion = L2,
    sites: Sequence[str] = ("",),
) -> nn.Module:
    """A smaller copy of `model`, pruned to each ratio in turn and trained in place by `finetune`
    after each (Molchanov et al., 2017).

    A ratio is the share of the original channels at the sites that have been removed after its
    round: a width of C becomes C - floor(ratio · C). `compressors.schedules.ratios` computes ratios
    from a schedule. Importances are computed anew in each round. `example` is a batch of inputs,
    [N, …].

    Raises:
        ValueError: as ChannelPruning does, if there are no ratios, or if they decrease.
    """
    for ratio in ratios:
        check_ratio(ratio, "rounds")
    if not ratios or list(ratios) != sorted(ratios):
        raise ValueError(
            f"there must be at least one ratio, and none below the one before, but got {list(ratios)}"
        )
    model = independent_copy(model)
    original = widths(model)
    for ratio in ratios:

        def select(groups: Sequence[Group], ratio: float = ratio) -> list[list[int]]:
            widths_before = [original[group.names[0]] for group in groups]
            return [
                least(group, group.width - before + math.floor(ratio * before))
                for group, before in zip(groups, widths_before, strict=True)
            ]

        model = shrink(model, dict.fromkeys(sites, ratio), example, criterion, select)
        finetune(model)
    return model
