import copy

import pytest
import torch
from torch import Tensor, nn

from compressors.criteria import APOZ, FPGM, GAMMA, L1, PruningCriterion, random, taylor
from compressors.pruning import ChannelPruning, prune_globally
from tests.compressors.pruning_cases import (
    CASES,
    IMAGES,
    Case,
    masked,
    right_or_refused,
    seeded_network,
    widths,
)
from tests.compressors.pruning_networks import inverted, normalized, residual, separable


def loss_on_images(model: nn.Module) -> Tensor:
    return nn.functional.cross_entropy(model(IMAGES), torch.arange(6) % 4)


# The networks with batch normalization at every site of a case.
NORMALIZED = (normalized, separable, inverted, residual)


CRITERIA = [L1, FPGM, GAMMA, APOZ, random(0), taylor(loss_on_images)]


@pytest.mark.parametrize("criterion", CRITERIA, ids=lambda criterion: criterion.name)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.build.__name__)
def test_every_criterion_shrinks_a_network_right(case: Case, criterion: PruningCriterion) -> None:
    model = seeded_network(case.build)
    if criterion is GAMMA and case.build not in NORMALIZED:
        with pytest.raises(ValueError, match="'gamma' must have scores for one of the tied layers"):
            ChannelPruning(criterion).apply(model, case.ratios, IMAGES)
        return
    pruned = ChannelPruning(criterion).apply(copy.deepcopy(model), case.ratios, IMAGES)
    assert widths(pruned).items() >= case.widths.items()
    assert torch.allclose(pruned(IMAGES), masked(model, pruned), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    "case", [case for case in CASES if "" in case.ratios], ids=lambda case: case.build.__name__
)
def test_a_ranking_over_all_layers_shrinks_a_network_right(case: Case) -> None:
    assert all(right_or_refused(case.build, lambda model: prune_globally(model, 0.4, IMAGES)))
