import doctest
import math

import pytest
import torch
from torch import Tensor, nn

from compressors import pruning
from compressors.criteria import GAMMA, L1, PruningCriterion
from compressors.pruning import ChannelPruning, prune, prune_below, prune_globally, widths
from compressors.removal import shrink
from nas.mask import WeightMask
from nas.seeds import seeded

IMAGES = torch.randn(4, 1, 8, 8, generator=torch.Generator().manual_seed(0))


def network() -> nn.Sequential:
    with seeded(0):
        model = nn.Sequential()
        for name, layer in {
            "a": nn.Conv2d(1, 8, 3),
            "norm": nn.BatchNorm2d(8),
            "relu": nn.ReLU(),
            "b": nn.Conv2d(8, 4, 3),
            "flatten": nn.Flatten(),
            "head": nn.Linear(64, 3),
        }.items():
            model.add_module(name, layer)
    return model.eval()


def gained(*gains: float) -> nn.Sequential:
    """Two normalized layers with the same number of channels; `gains` are those of both."""
    half = len(gains) // 2
    with seeded(0):
        model = nn.Sequential(
            *(nn.Conv2d(1, half, 3), nn.BatchNorm2d(half), nn.ReLU()),
            *(nn.Conv2d(half, half, 3), nn.BatchNorm2d(half), nn.ReLU()),
            *(nn.Flatten(), nn.Linear(16 * half, 3)),
        )
    with torch.no_grad():
        model.get_parameter("1.weight").copy_(torch.tensor(gains[:half]))
        model.get_parameter("4.weight").copy_(torch.tensor(gains[half:]))
    return model


def left(model: nn.Module) -> tuple[list[float], list[float]]:
    first, second = (model.get_parameter(f"{name}.weight").tolist() for name in (1, 4))
    return [round(gain, 4) for gain in first], [round(gain, 4) for gain in second]


def test_the_examples_in_the_documentation_are_right() -> None:
    result = doctest.testmod(pruning)
    assert result.attempted >= 4
    assert result.failed == 0


def test_a_pruned_copy_is_smaller_and_the_original_stays() -> None:
    model = network()
    said = model(IMAGES)
    smaller = prune(model, 0.5, IMAGES)
    assert widths(smaller) == {"a": 4, "b": 2, "head": 3}
    assert widths(model) == {"a": 8, "b": 4, "head": 3}
    assert torch.equal(model(IMAGES), said)
    assert {widths(prune(model, ratio, IMAGES))["a"] for ratio in (0.0, 0.25)} == {6, 8}


def test_each_site_can_have_a_ratio_of_its_own() -> None:
    assert widths(prune(network(), {"a": 0.25, "b": 0.5}, IMAGES)) == {"a": 6, "b": 2, "head": 3}
    assert widths(prune(network(), {"b": 0.25}, IMAGES)) == {"a": 8, "b": 3, "head": 3}


@pytest.mark.parametrize("ratio", [1.0, -0.5, math.nan, True, "0.5"])
def test_ratios_that_leave_no_channel_are_refused(ratio: float) -> None:
    with pytest.raises(ValueError, match=f"at least 0 and below 1, but got {ratio!r} at 'b'"):
        prune(network(), {"a": 0.5, "b": ratio}, IMAGES)
    with pytest.raises(ValueError, match="at least 0 and below 1, but got"):
        prune_globally(network(), ratio, IMAGES)


def test_the_layer_that_gives_the_logits_is_refused_by_name() -> None:
    with pytest.raises(
        ValueError, match=r"give the logits keep their channels, but 'head' has only \['head'\]"
    ):
        prune(network(), {"a": 0.5, "head": 0.5}, IMAGES)
    with pytest.raises(
        ValueError, match=r"give the logits keep their channels, but 'head' has only \['head'\]"
    ):
        ChannelPruning().apply(network(), {"head": 0.25}, IMAGES)
    with pytest.raises(ValueError, match="give the logits keep their channels"):
        prune_below(network(), 0.1, IMAGES, sites=("head",))
    assert widths(prune(network(), {"a": 0.5, "head": 0.0}, IMAGES))["head"] == 3


def test_a_global_ratio_takes_the_least_of_all_layers_together() -> None:
    model = gained(1.0, 0.9, 0.01, 1.1, 0.02, 1.0, 0.03, 0.04)
    pruned = prune_globally(model, 0.5, IMAGES, criterion=GAMMA)
    # Relative to the means 0.7525 and 0.2725, 0.01 is the smallest, then 0.02, 0.03 and 0.04.
    assert left(pruned) == ([1.0, 0.9, 1.1], [1.0])
    assert left(model)[0] == [1.0, 0.9, 0.01, 1.1]


def test_a_global_ranking_does_not_depend_on_the_scale_of_a_layer() -> None:
    small = gained(*(1.0, 0.8, 0.1, 0.9), *(0.01, 0.0001, 0.008, 0.009))
    assert left(prune_globally(small, 0.25, IMAGES, criterion=GAMMA)) == (
        [1.0, 0.8, 0.9],
        [0.01, 0.008, 0.009],
    )


@pytest.mark.parametrize("ratio", [0.0, 0.1, 0.25, 0.5, 0.75])
def test_a_global_ratio_takes_exactly_its_share(ratio: float) -> None:
    pruned = prune_globally(network(), ratio, IMAGES, criterion=L1)
    found = widths(pruned)
    assert found["a"] + found["b"] == 12 - math.floor(ratio * 12)
    assert found["head"] == 3


def test_a_global_ratio_leaves_every_group_a_channel() -> None:
    weak = gained(*(1.0, 1.0, 1.0, 1.0), *(1e-9, 1e-9, 1e-9, 1e-9))
    with torch.no_grad():
        weak.get_parameter("4.weight").zero_()
    first, second = left(prune_globally(weak, 0.5, IMAGES, criterion=GAMMA))
    assert (len(first), len(second)) == (3, 1)
    with pytest.raises(
        ValueError, match=r"leave a channel at each of \[\['0'\], \['3'\]\], but 0.9 removes 7 of 8"
    ):
        prune_globally(weak, 0.9, IMAGES, criterion=GAMMA)
    assert [len(gains) for gains in left(prune_globally(weak, 0.75, IMAGES, criterion=GAMMA))] == [
        1,
        1,
    ]


def test_only_the_layers_at_the_sites_are_pruned() -> None:
    found = widths(prune_globally(network(), 0.5, IMAGES, sites=("b",)))
    assert found == {"a": 8, "b": 2, "head": 3}
    found = widths(prune_below(network(), 0.5, IMAGES, criterion=GAMMA, sites=("a",)))
    assert found == {"a": 8, "b": 4, "head": 3}


def test_a_threshold_removes_exactly_what_is_below_it() -> None:
    model = gained(1.0, -0.9, 0.01, 0.5, 0.02, 1.0, -0.03, 0.6)
    assert left(prune_below(model, 0.5, IMAGES, criterion=GAMMA)) == ([1.0, -0.9, 0.5], [1.0, 0.6])
    assert left(prune_below(model, 0.001, IMAGES, criterion=GAMMA)) == left(model)
    with pytest.raises(ValueError, match=r"at most 1 to leave a channel at \['0'\], but is 1.1"):
        prune_below(model, 1.1, IMAGES, criterion=GAMMA)


@pytest.mark.parametrize("threshold", [0.0, -1.0, math.nan, math.inf])
def test_thresholds_must_be_positive(threshold: float) -> None:
    with pytest.raises(ValueError, match="positive and finite, but got"):
        prune_below(network(), threshold, IMAGES)


def test_a_group_without_a_channel_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"must leave a channel, but removes all 8 at \['a'\]"):
        shrink(
            network(),
            {"a": 0.5},
            IMAGES,
            L1,
            lambda groups: [range(group.width) for group in groups],
        )


def test_pruning_is_no_training() -> None:
    model = network().train()
    mean = model.get_submodule("norm").get_buffer("running_mean")
    smaller = prune(model, {"b": 0.5}, IMAGES)
    assert torch.equal(smaller.get_submodule("norm").get_buffer("running_mean"), mean)
    assert not mean.any()


def test_tied_layers_must_all_be_at_the_sites() -> None:
    class Residual(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem, self.block, self.head = (
                nn.Conv2d(1, 4, 3),
                nn.Conv2d(4, 4, 1),
                nn.Linear(4, 3),
            )

        def forward(self, x: Tensor) -> Tensor:
            y = self.stem(x)
            said: Tensor = self.head((y + self.block(y)).mean((2, 3)))
            return said

    conflict = r"tied must have one pruning ratio, but got {'stem': None, 'block': 0.5}"
    with pytest.raises(ValueError, match=conflict):
        prune_globally(Residual(), 0.5, IMAGES, sites=("block",))
    with pytest.raises(ValueError, match=conflict):
        prune_below(Residual(), 0.5, IMAGES, sites=("block",))
    with pytest.raises(ValueError, match=conflict):
        prune(Residual(), {"block": 0.5}, IMAGES)
    assert widths(prune_globally(Residual(), 0.5, IMAGES)) == {"stem": 2, "block": 2, "head": 3}


@pytest.mark.parametrize("criterion", [L1, GAMMA], ids=lambda criterion: criterion.name)
def test_channels_of_zeros_go_first_and_are_no_trouble(criterion: PruningCriterion) -> None:
    model = gained(1.0, 0.0, 0.0, 0.7, 1.0, 0.5, 0.4, 0.3)
    with torch.no_grad():
        for name in ("0.weight", "0.bias", "1.bias"):
            model.get_parameter(name)[1:3] = 0.0
        model.get_parameter("3.weight")[:, 1:3] = 0.0
    said = model.eval()(IMAGES)
    pruned = prune(model, {"0": 0.5}, IMAGES, criterion=criterion)
    assert left(pruned)[0] == [1.0, 0.7]
    assert torch.allclose(pruned(IMAGES), said, atol=1e-5)


@pytest.mark.parametrize("criterion", [L1, GAMMA], ids=lambda criterion: criterion.name)
def test_a_network_of_zeros_is_pruned_to_its_widths(criterion: PruningCriterion) -> None:
    model = gained(*(0.0,) * 8)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    assert widths(prune(model, 0.5, IMAGES, criterion=criterion)) == {"0": 2, "3": 2, "7": 3}
    assert sum(widths(prune_globally(model, 0.5, IMAGES, criterion=criterion)).values()) == 4 + 3


def test_channels_leave_before_masks_come() -> None:
    model = network()
    weight = model.get_parameter("a.weight")
    assert isinstance(weight, nn.Parameter)
    model.get_submodule("a").add_module(
        "mask", WeightMask(weight, weight.detach(), 3, None, lambda _: 1.0)
    )
    with pytest.raises(
        ValueError, match="removed before single weights, but the network has masks"
    ):
        prune(model, {"b": 0.5}, IMAGES)
