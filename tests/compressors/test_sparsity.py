import doctest
import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from compressors import sparsity
from compressors.criteria import random, taylor
from compressors.pruning import ChannelPruning
from compressors.quantization import Quantization
from compressors.schedules import cubic
from compressors.sparsity import (
    WeightPruning,
    sparsify,
    sparsify_below,
    sparsify_globally,
    sparsities,
)
from nas.compress import Compressor, compress
from nas.mask import mask_of
from nas.space import Choice, Choices
from nas.testing.compressor import check_compressor
from tests.compressors.sparsity_networks import IMAGES, Space, network, weights


def test_the_examples_in_the_documentation_are_right() -> None:
    result = doctest.testmod(sparsity)
    assert result.attempted >= 2
    assert result.failed == 0


@pytest.mark.parametrize("ratio", [0.0, 0.1, 0.5, 0.72, 0.9, 0.999])
def test_each_layer_loses_exactly_its_share_of_the_smallest_weights(ratio: float) -> None:
    model, before = WeightPruning().apply(network(), {"": ratio}, IMAGES), network()
    for name in ("a", "b", "head"):
        after, whole = weights(model, name), weights(before, name)
        assert int((after == 0).sum()) == math.floor(ratio * whole.numel())
        assert torch.equal(after[after != 0], whole[after != 0])
        if ratio > 0.1:
            assert whole[after == 0].abs().max() <= after[after != 0].abs().min()


def test_n_of_every_m_inputs_are_left() -> None:
    model, before = WeightPruning().apply(network(), {"b": "2:4", "head": "1:8"}, IMAGES), network()
    for name, keep, block in (("b", 2, 4), ("head", 1, 8)):
        after, whole = weights(model, name).flatten(1), weights(before, name).flatten(1)
        rows = zip(after.reshape(-1, block), whole.reshape(-1, block), strict=True)
        for row, full in rows:
            assert int(row.count_nonzero()) == keep
            assert row[row != 0].abs().min() >= full[row == 0].abs().max()
    assert weights(model, "a").all()


def test_the_inner_site_decides_and_only_chosen_layers_have_masks() -> None:
    for settings in ({"": 0.5, "b": 0.25}, {"b": 0.25, "": 0.5}):
        assert sparsities(WeightPruning().apply(network(), settings, IMAGES)) == {
            "a": 0.5,
            "b": 0.25,
            "head": 0.5,
        }
    model = WeightPruning().apply(network(), {"": 0.0, "b": 0.5}, IMAGES)
    assert [mask_of(model.get_submodule(name)) is None for name in ("a", "b", "head")] == [
        True,
        False,
        True,
    ]


def test_weights_go_by_the_criterion() -> None:
    labels = torch.arange(6) % 3

    def loss(model: nn.Module) -> Tensor:
        return nn.functional.cross_entropy(model(IMAGES), labels)

    model = network().eval()
    loss(model).backward()  # type: ignore[no-untyped-call]
    weight = model.get_parameter("head.weight")
    assert weight.grad is not None
    least = (weight * weight.grad).detach().abs().flatten().argsort()[:48]
    pruned = sparsify(network(), {"head": 0.5}, IMAGES, criterion=taylor(loss))
    assert set((weights(pruned, "head").flatten() == 0).nonzero().flatten().tolist()) == set(
        least.tolist()
    )
    one, same, other = (
        weights(sparsify(network(), 0.5, IMAGES, criterion=random(seed)), "head")
        for seed in (1, 1, 2)
    )
    assert torch.equal(one, same)
    assert not torch.equal(one != 0, other != 0)


@pytest.mark.parametrize(
    "compressor", [WeightPruning(), WeightPruning(schedule=cubic), WeightPruning(random(0))]
)
def test_it_keeps_the_contract_of_compressors(compressor: WeightPruning) -> None:
    class Suitable(Space):
        choices = Choices(
            [
                Choice("hidden", "sparsity", (0.0, 0.5, 0.97, "2:4")),
                Choice("head", "sparsity", (0.0, 0.3, "1:8")),
            ]
        )

    check_compressor(compressor, Suitable(), IMAGES, 3, np.random.default_rng(0))


def test_channels_leave_and_then_weights() -> None:
    design = {"a.prune": 0.5, ".sparsity": 0.5, ".bits": 4}
    order: list[Compressor] = [ChannelPruning(), WeightPruning(), Quantization()]
    model = compress(
        network(), {name.removeprefix("."): value for name, value in design.items()}, order, IMAGES
    )
    assert weights(model, "a").shape[0] == 4
    assert sparsities(model) == {"a": 0.5, "b": 0.5, "head": 0.5}


def test_the_original_of_a_copy_stays() -> None:
    model = network()
    functions: list[Callable[[], nn.Module]] = [
        lambda: sparsify(model, 0.5, IMAGES),
        lambda: sparsify_globally(model, 0.5, IMAGES),
        lambda: sparsify_below(model, 0.01, IMAGES),
    ]
    for function in functions:
        assert sum(sparsities(function()).values()) > 0
        assert set(sparsities(model).values()) == {0.0}
