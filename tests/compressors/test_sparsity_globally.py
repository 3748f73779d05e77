import math
from collections.abc import Mapping

import pytest
import torch
from torch import nn

from compressors.sparsity import (
    sparsify_below,
    sparsify_globally,
    sparsities,
)
from nas.mask import mask_of
from tests.compressors.sparsity_networks import IMAGES, network, weights


@pytest.mark.parametrize("ratio", [0.0, 0.3, 0.9, 0.98])
def test_a_global_ratio_takes_exactly_its_share_of_all_weights(ratio: float) -> None:
    model = sparsify_globally(network(), ratio, IMAGES)
    zeros = sum(int((weights(model, name) == 0).sum()) for name in ("a", "b", "head"))
    assert zeros == math.floor(ratio * 232)


def test_a_global_ranking_is_in_units_of_each_layer() -> None:
    model = network()
    with torch.no_grad():
        model.get_parameter("a.weight").copy_(1e-3 * torch.arange(1.0, 73.0).view(8, 1, 3, 3))
        model.get_parameter("b.weight").copy_(1e3 * torch.arange(1.0, 65.0).view(8, 8, 1, 1))
    found = sparsities(sparsify_globally(model, 0.5, IMAGES, sites=("a", "b")))
    assert found == {"a": 0.5, "b": 0.5, "head": 0.0}
    model.get_parameter("a.weight").data[0] = 1.0
    assert sparsities(sparsify_globally(model, 0.5, IMAGES, sites=("a", "b")))["a"] > 0.7


def test_a_global_ratio_leaves_every_layer_a_weight() -> None:
    model = nn.Sequential(nn.Linear(2, 3, bias=False), nn.Linear(3, 2, bias=False))
    with torch.no_grad():
        model.get_parameter("0.weight").zero_()
    masks = [mask_of(layer) for layer in sparsify_globally(model, 0.83, torch.eye(2)).children()]
    assert [int(mask.kept.sum()) for mask in masks if mask is not None] == [1, 2]
    with pytest.raises(
        ValueError, match=r"leave a weight in each of 2 layers, but 0.95 removes 11 of 12"
    ):
        sparsify_globally(model, 0.95, torch.eye(2))
    with pytest.raises(ValueError, match="must be a ratio"):
        sparsify_globally(model, 1.0, torch.eye(2))


def test_a_threshold_removes_exactly_what_is_below_it() -> None:
    model = nn.Sequential(nn.Linear(3, 2, bias=False))
    with torch.no_grad():
        model.get_parameter("0.weight").copy_(torch.tensor([[0.1, -0.2, 0.3], [-0.4, 0.5, -0.05]]))
    below: Mapping[float, list[float]] = {
        0.2: [0.0, -0.2, 0.3, -0.4, 0.5, 0.0],
        0.45: [0.0, 0.0, 0.0, 0.0, 0.5, 0.0],
    }
    for threshold, left in below.items():
        assert weights(
            sparsify_below(model, threshold, torch.eye(3)), "0"
        ).flatten().tolist() == pytest.approx(left)
    with pytest.raises(ValueError, match=r"at most 0.5 to leave a weight at '0', but is 0.6"):
        sparsify_below(model, 0.6, torch.eye(3))
    for threshold in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(ValueError, match="positive and finite"):
            sparsify_below(model, threshold, torch.eye(3))
