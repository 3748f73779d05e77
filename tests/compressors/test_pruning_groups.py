from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from compressors.pruning import ChannelPruning, prunable
from tests.compressors.pruning_cases import IMAGES, seeded_network, widths
from tests.compressors.pruning_networks import (
    headed,
    inverted,
    named,
    plain,
    residual,
    shuffle_unit,
)
from tests.networks import Wired


def test_conflicting_ratios_of_tied_layers_are_refused_by_name() -> None:
    with pytest.raises(
        ValueError,
        match=r"tied must have one pruning ratio, but got .*'one.narrow.0': 0.5.*'two.narrow.0': 0.25",
    ):
        ChannelPruning().apply(seeded_network(inverted), {"": 0.5, "two": 0.25}, IMAGES)
    # A ratio of 0 conflicts with another one, whether it is given or not.
    with pytest.raises(
        ValueError, match=r"tied must have one pruning ratio, but got .*'stem': None"
    ):
        ChannelPruning().apply(seeded_network(inverted), {"one": 0.5, "two": 0.5}, IMAGES)
    with pytest.raises(
        ValueError, match=r"tied must have one pruning ratio, but got .*'stem': 0.0"
    ):
        ChannelPruning().apply(seeded_network(inverted), {"": 0.5, "stem": 0.0}, IMAGES)


def test_a_ratio_at_one_layer_of_a_group_can_be_that_of_all() -> None:
    follow = ChannelPruning(unstated="follow")
    for ratios in ({"stem": 0.5}, {"two.narrow": 0.5}, {"one.narrow.0": 0.5, "two.narrow": 0.5}):
        smaller = follow.apply(seeded_network(inverted), ratios, IMAGES)
        found = {
            name: width
            for name, width in widths(smaller).items()
            if name in ("stem", "one.narrow.0", "two.narrow.0")
        }
        assert found == {"stem": 4, "one.narrow.0": 4, "two.narrow.0": 4}
        assert widths(smaller)["one.widen.0"] == 12
    with pytest.raises(
        ValueError,
        match=r"tied must have one pruning ratio, but got .*'stem': 0.0, 'one.narrow.0': 0.5",
    ):
        follow.apply(seeded_network(inverted), {"one.narrow": 0.5, "stem": 0.0}, IMAGES)
    with pytest.raises(
        ValueError, match=r"unstated must be one of \('refuse', 'follow'\), but got 'both'"
    ):
        ChannelPruning(unstated="both")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("make", "groups"),
    [
        (plain, [("a",), ("b",)]),
        (inverted, [("stem", "one.narrow.0", "two.narrow.0"), ("one.widen.0",), ("two.widen.0",)]),
        (
            residual,
            [
                ("stem", "stage.0.second.0", "stage.1.second.0"),
                ("stage.0.first.0",),
                ("stage.1.first.0",),
            ],
        ),
        (shuffle_unit, [("branch.0",), ("last",)]),
        (lambda: headed(1, a=nn.Conv2d(3, 1, 3)), []),
        (lambda: headed(8, a=nn.Conv2d(3, 8, 3), grouped=nn.Conv2d(8, 8, 3, groups=2)), []),
    ],
)
def test_the_groups_that_can_be_pruned_are_listed(
    make: Callable[[], nn.Module], groups: list[tuple[str, ...]]
) -> None:
    model = seeded_network(make)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    assert prunable(model, IMAGES) == groups
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    if groups:
        smaller = ChannelPruning(unstated="follow").apply(
            model, {group[0]: 0.5 for group in groups}, IMAGES
        )
        assert {
            name for name, width in widths(smaller).items() if width < len(before[f"{name}.weight"])
        } >= {name for group in groups for name in group}


def test_layers_that_are_tied_in_parts_are_refused_by_name() -> None:
    def run(net: Wired, x: Tensor) -> Tensor:
        return net["head"]((torch.cat([net["a"](x), net["b"](x)], 1) + net["c"](x)).mean((2, 3)))

    for order in ("abc", "cba"):
        parts = {"a": nn.Conv2d(3, 4, 3), "b": nn.Conv2d(3, 6, 3), "c": nn.Conv2d(3, 10, 3)}
        model = Wired(run, **{name: parts[name] for name in order}, head=nn.Linear(10, 4))
        with pytest.raises(ValueError, match=r"tied must have one width, but got .*'c': 10"):
            ChannelPruning().apply(model, {"": 0.5}, IMAGES)


def fully_convolutional() -> nn.Module:
    layers = {
        "a": nn.Conv2d(3, 8, 3),
        "relu": nn.ReLU(),
        "b": nn.Conv2d(8, 4, 1),
        "norm": nn.BatchNorm2d(4),
    }
    return named(**layers, pool=nn.AdaptiveAvgPool2d(1), flatten=nn.Flatten())


def summed_logits() -> nn.Module:
    def run(net: Wired, x: Tensor) -> Tensor:
        first = net["b"](torch.relu(net["a"](x.flatten(1))))
        return first + net["c"](torch.relu(first))

    return Wired(run, a=nn.Linear(192, 8), b=nn.Linear(8, 4), c=nn.Linear(4, 4))


@pytest.mark.parametrize(
    ("build", "left"),
    [
        (plain, {"a": 4, "b": 3, "head": 4}),
        (fully_convolutional, {"a": 4, "b": 4}),
        (summed_logits, {"a": 4, "b": 4, "c": 4}),
    ],
)
def test_the_layers_that_give_the_logits_keep_their_channels(
    build: Callable[[], nn.Module], left: dict[str, int]
) -> None:
    assert widths(ChannelPruning().apply(seeded_network(build), {"": 0.5}, IMAGES)) == left
