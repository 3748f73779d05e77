import math
from typing import Any

import pytest
from torch import nn

from compressors.criteria import APOZ, FPGM, GAMMA, L1, L2, PruningCriterion, random
from compressors.schedules import cubic
from compressors.sparsity import (
    WeightPruning,
    sparsify,
    sparsify_globally,
)
from nas.lowering import lower
from nas.quantize import UnsupportedError
from nas.quantize.quantized_layers import quantized_layer
from tests.compressors.sparsity_networks import IMAGES, network


@pytest.mark.parametrize(
    "value", [1.0, -0.1, True, None, math.nan, "4:2", "2:2", "0:4", "2", "2:4 ", "a:b", "0.5"]
)
def test_other_settings_are_refused_with_their_site(value: Any) -> None:
    with pytest.raises(
        ValueError, match=r'a ratio in .0, 1. or "N:M" with 1 <= N < M, but got '
    ) as error:
        WeightPruning().apply(network(), {"a": 0.5, "b": value}, IMAGES)
    assert f"got {value!r} at 'b'" in str(error.value)


def test_blocks_that_do_not_fit_are_refused_by_name() -> None:
    with pytest.raises(
        ValueError, match=r"'2:4' at '' needs a multiple of 4 inputs, but 'a' has 1"
    ):
        WeightPruning().apply(network(), {"": "2:4"}, IMAGES)


def test_a_layer_has_one_mask() -> None:
    model = WeightPruning().apply(network(), {"a": 0.5}, IMAGES)
    with pytest.raises(ValueError, match="can be pruned once, but this one has a mask already"):
        WeightPruning().apply(model, {"": 0.75}, IMAGES)


@pytest.mark.parametrize("criterion", [FPGM, GAMMA, APOZ], ids=lambda criterion: criterion.name)
def test_criteria_of_channels_are_refused(criterion: PruningCriterion) -> None:
    with pytest.raises(
        ValueError,
        match=f"must score single weights, as l1, l2, taylor and random do, but got '{criterion.name}'",
    ):
        WeightPruning(criterion)
    with pytest.raises(ValueError, match="must score single weights"):
        sparsify_globally(network(), 0.5, IMAGES, criterion=criterion)


def test_only_magnitudes_go_gradually() -> None:
    with pytest.raises(
        ValueError,
        match="the criterion of a gradual schedule must be l1 or l2, but got 'random'",
    ):
        WeightPruning(random(0), cubic)
    for criterion in (L1, L2):
        WeightPruning(criterion, cubic)


def test_weights_of_one_bit_cannot_be_masked() -> None:
    model = sparsify(network(), {"head": 0.5}, IMAGES)
    head = model.get_submodule("head")
    assert isinstance(head, nn.Linear)
    model.set_submodule("head", quantized_layer(head, 1))
    with pytest.raises(
        UnsupportedError,
        match="of 1 bit are never 0, so a layer with a mask must have at least 2 bits",
    ):
        lower(model, IMAGES)
