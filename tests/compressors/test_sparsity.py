import doctest
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from compressors import sparsity
from compressors.criteria import APOZ, FPGM, GAMMA, L1, L2, PruningCriterion, random, taylor
from compressors.pruning import ChannelPruning
from compressors.quantization import Quantization
from compressors.schedules import cubic, linear, one_shot
from compressors.sparsity import (
    WeightPruning,
    sparsify,
    sparsify_below,
    sparsify_globally,
    sparsities,
)
from nas.compress import Compressor, compress
from nas.data import Task
from nas.evaluate import Evaluator
from nas.lowering import lower, lower_all_channels, snapped
from nas.mask import Schedule, mask_of
from nas.measure import costs
from nas.objective import Budget, Status
from nas.packed import flash_bytes, pack, unpack
from nas.program import Layer
from nas.quantize import UnsupportedError
from nas.quantize.quantized_layers import quantized_layer
from nas.quantize.weight_quantizers import WeightMethod
from nas.seeds import seeded
from nas.space import Choice, Choices, Design
from nas.strategy import Proposal
from nas.testing.compressor import check_compressor
from nas.training.fit import cross_entropy, fit
from nas.training.recipe import Recipe

IMAGES = torch.randn(6, 1, 4, 4, generator=torch.Generator().manual_seed(0))
RECIPE = Recipe(batch_size=10, lr=0.02)


def network() -> nn.Sequential:
    with seeded(0):
        model = nn.Sequential()
        layers: dict[str, nn.Module] = {
            "a": nn.Conv2d(1, 8, 3, bias=False),
            "norm": nn.BatchNorm2d(8),
            "relu": nn.ReLU(),
        }
        layers |= {
            "b": nn.Conv2d(8, 8, 1),
            "act": nn.ReLU(),
            "flatten": nn.Flatten(),
            "head": nn.Linear(32, 3),
        }
        for name, layer in layers.items():
            model.add_module(name, layer)
    return model


def weights(model: nn.Module, name: str) -> Tensor:
    return model.get_parameter(f"{name}.weight").detach()


def train(model: nn.Module, task: Task, epochs: int = 3) -> None:
    fit(
        model,
        task,
        RECIPE,
        epochs=epochs,
        lr=RECIPE.lr,
        loss=cross_entropy,
        generator=torch.Generator().manual_seed(0),
    )


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


def test_only_magnitudes_go_gradually() -> None:
    with pytest.raises(
        ValueError,
        match="the criterion of a gradual schedule must be l1 or l2, but got 'random'",
    ):
        WeightPruning(random(0), cubic)
    for criterion in (L1, L2):
        WeightPruning(criterion, cubic)


@pytest.mark.parametrize("schedule", [one_shot, linear, cubic, lambda progress: 0.5 * progress])
@pytest.mark.parametrize("setting", [0.75, "1:4"])
@pytest.mark.parametrize("method", ["max", "affine"])
def test_masks_stay_through_quantized_training_and_into_the_file(
    schedule: Schedule, setting: float | str, method: WeightMethod, tiny_task: Task
) -> None:
    model = WeightPruning(schedule=schedule).apply(
        network(), {"b": setting, "head": setting}, IMAGES
    )
    quantized = Quantization(weights=method).apply(model, {"": 4}, IMAGES)
    counted = costs(quantized, lower_all_channels(quantized, IMAGES))
    before = weights(quantized, "b").clone()
    train(quantized, tiny_task)
    assert sparsities(quantized) == {"a": 0.0, "b": 0.75, "head": 0.75}
    assert not torch.equal(before[before != 0], weights(quantized, "b")[before != 0])
    program = lower_all_channels(snapped(quantized), IMAGES)
    packed = pack(program)
    layers = [operation for operation in unpack(packed).operations if isinstance(operation, Layer)]
    assert [operation.weights.size for operation in layers] == [72, 64, 96]
    assert np.count_nonzero(layers[1].weights.values == 0) >= 48
    assert np.count_nonzero(layers[2].weights.values == 0) >= 72
    for name, operation in zip(("b", "head"), layers[1:], strict=True):
        assert not operation.weights.levels[(weights(quantized, name) == 0).numpy()].any()
    assert costs(quantized, program) == counted
    assert len(packed) <= counted["flash_bytes"]


def test_masks_stay_without_quantizers(tiny_task: Task) -> None:
    model = sparsify(network(), 0.75, IMAGES, schedule=cubic)
    assert set(sparsities(model).values()) == {0.0}
    train(model, tiny_task)
    assert set(sparsities(model).values()) == {0.75}


def test_a_gradual_removal_without_training_is_done_at_the_end_of_none(tiny_task: Task) -> None:
    model = sparsify(network(), 0.75, IMAGES, schedule=cubic)
    train(model, tiny_task, epochs=0)
    assert set(sparsities(model).values()) == {0.75}


def test_weights_that_are_not_yet_removed_are_not_in_the_program() -> None:
    model = sparsify(network(), 0.75, IMAGES, schedule=cubic)
    program = lower_all_channels(model, IMAGES)
    layers = [operation for operation in program.operations if isinstance(operation, Layer)]
    assert [np.count_nonzero(operation.weights.values) for operation in layers] == [18, 16, 24]
    assert len(pack(program)) <= flash_bytes(program)


def test_costs_are_those_of_the_kept_weights_and_follow_from_the_settings() -> None:
    sizes = {}
    for ratio in (0.0, 0.1, 0.5, 0.9):
        found = []
        for seed in (0, 1):
            built = network()
            with seeded(seed):
                nn.init.normal_(built.get_parameter("head.weight"))
            model = compress(
                built,
                {"head.sparsity": ratio, "head.bits": 4},
                [WeightPruning(schedule=linear), Quantization()],
                IMAGES,
            )
            found.append(costs(model, lower_all_channels(model, IMAGES)))
        assert found[0] == found[1]
        sizes[ratio] = found[0]
    dense = sizes[0.0]
    assert dense["params"] - sizes[0.5]["params"] == 48
    conv = compress(
        network(), {"b.sparsity": 0.5, "head.bits": 4}, [WeightPruning(), Quantization()], IMAGES
    )
    # 64 weights of 8 bits.
    assert dense["flash_bytes"] - costs(conv, lower_all_channels(conv, IMAGES))[
        "flash_bytes"
    ] == 64 - (8 + 32)
    # 96 weights of 4 bits, or a bit for each and 4 for each of the remaining ones.
    assert dense["flash_bytes"] - sizes[0.5]["flash_bytes"] == 48 - (12 + 24)
    assert sizes[0.1]["flash_bytes"] == dense["flash_bytes"]
    # With 10 weights left, a mask takes 12 + 5 bytes, and gaps of 7 bits the same: 10 * (7 + 4)
    # bits and 3 bytes.
    assert dense["flash_bytes"] - sizes[0.9]["flash_bytes"] == 48 - (12 + 5)
    assert {name: dense[name] for name in ("macs", "peak_memory_bytes")} == {
        name: sizes[0.9][name] for name in ("macs", "peak_memory_bytes")
    }


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


class Space:
    """A network with a hidden layer of 64 units, with or without a mask."""

    choices = Choices(
        [
            Choice("hidden", "sparsity", (0.0, 0.9)),
            Choice("hidden", "bits", (4,)),
            Choice("head", "bits", (8,)),
        ]
    )

    def build(self, design: Design, example: Tensor, classes: int) -> nn.Module:
        model = nn.Sequential(nn.Flatten())
        model.add_module("hidden", nn.Linear(example[0].numel(), 64))
        model.add_module("relu", nn.ReLU())
        model.add_module("head", nn.Linear(64, classes))
        return model


@pytest.mark.parametrize("schedule", [one_shot, cubic])
def test_a_sparse_candidate_fits_where_a_dense_one_does_not(
    schedule: Schedule, tiny_task: Task
) -> None:
    recipe = Recipe(epochs=1, finetune_epochs=2, batch_size=10)
    compressors = (WeightPruning(schedule=schedule), Quantization())
    seen: dict[int, Any] = {}
    for limits in ({}, {"size_bytes": 1000.0}):
        evaluator = Evaluator(
            space=Space(),
            compressors=compressors,
            task=tiny_task,
            recipe=recipe,
            budget=Budget(limits),
            device=None,
            loss=cross_entropy,
            seed=0,
        )
        for gene in (0, 1):
            seen[gene], trained = evaluator(0, Proposal((gene, 0, 0)))
            if limits and gene == 0:
                assert seen[gene].status is Status.OVER_BUDGET
            else:
                assert seen[gene].status is Status.OK, seen[gene].reason
                assert trained is not None
                assert len(trained.packed) <= seen[gene].metrics["flash_bytes"]
    dense, sparse = seen[0].metrics["flash_bytes"], seen[1].metrics["flash_bytes"]
    assert dense - sparse >= 64 * 16 // 2 - (64 * 16 // 8 + 103 // 2 + 1)
    assert seen[1].metrics["size_bytes"] <= 1000


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
