from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from compressors.pruning import ChannelPruning
from nas.seeds import seeded
from tests.compressors.pruning_cases import IMAGES, right_or_refused
from tests.compressors.pruning_networks import (
    Residual,
    headed,
    padded_shortcut,
    plain,
    separable,
    shuffle_unit,
)
from tests.networks import Wired


@pytest.mark.parametrize(
    "ratio", [1.0, 1, -0.1, 1.5, True, False, "a", "0.5", None, float("nan"), float("inf")]
)
def test_other_ratios_are_refused_with_their_site(ratio: Any) -> None:
    with pytest.raises(
        ValueError, match=f"pruning ratio must be at least 0 and below 1, but got {ratio!r} at 'b'"
    ):
        ChannelPruning().apply(plain(), {"a": 0.5, "b": ratio}, IMAGES)


def test_a_site_that_is_not_there_is_refused() -> None:
    with pytest.raises(ValueError, match=r"must name a module of the network, .* but got 'c'"):
        ChannelPruning().apply(plain(), {"c": 0.5}, IMAGES)


def test_a_site_of_depthwise_convolutions_alone_is_refused() -> None:
    with pytest.raises(
        ValueError,
        match=r"has the channels of the layer before it, but 'block.0' has only \['block.0'\]",
    ):
        ChannelPruning().apply(separable(), {"block.0": 0.5}, IMAGES)


def test_a_layer_without_a_part_in_the_logits_is_refused() -> None:
    model = Wired(
        lambda net, x: net["head"](net["a"](x).detach().mean((2, 3))),
        a=nn.Conv2d(3, 8, 3),
        head=nn.Linear(8, 4),
    )
    with pytest.raises(
        ValueError, match="must contribute to the logits to be pruned, but 'a' does not"
    ):
        ChannelPruning().apply(model, {"a": 0.5}, IMAGES)


def shuffled(net: Wired, x: Tensor) -> Tensor:
    y = net["a"](x)
    count, channels, height, width = y.shape
    y = (
        y.view(count, 2, channels // 2, height, width)
        .transpose(1, 2)
        .reshape(count, channels, height, width)
    )
    return net["head"](net["b"](y).mean((2, 3)))


def shuffling() -> nn.Module:
    return Wired(shuffled, a=nn.Conv2d(3, 8, 3), b=nn.Conv2d(8, 6, 1), head=nn.Linear(6, 4))


def faint() -> nn.Module:
    """About a thousandth of the logits depends on the image."""
    model = shuffling()
    with torch.no_grad():
        model.get_parameter("a.weight").mul_(1e-3)
        model.get_parameter("a.bias").zero_()
    return model


def grouped(outputs: int = 8, groups: int = 2) -> nn.Module:
    return headed(
        outputs,
        a=nn.Conv2d(3, 8, 3),
        relu=nn.ReLU(),
        b=nn.Conv2d(8, outputs, 1, groups=groups),
        act=nn.ReLU(),
    )


def splitting() -> nn.Module:
    def run(net: Wired, x: Tensor) -> Tensor:
        left, right = net["a"](x).chunk(2, 1)
        return net["head"](torch.cat([net["b"](left), net["c"](right)], 1).mean((2, 3)))

    return Wired(
        run, a=nn.Conv2d(3, 8, 3), b=nn.Conv2d(4, 4, 1), c=nn.Conv2d(4, 4, 1), head=nn.Linear(8, 4)
    )


EITHER = "with these channels at 0|must run without"


UNPRUNABLE: list[tuple[str, Callable[[], nn.Module], str, str]] = [
    ("shuffle", shuffling, "a", EITHER),
    ("faint shuffle", faint, "a", EITHER),
    (
        "pixel shuffle",
        lambda: headed(6, a=nn.Conv2d(3, 8, 3), up=nn.PixelShuffle(2), b=nn.Conv2d(2, 6, 1)),
        "a",
        "must run without",
    ),
    (
        "read in groups",
        grouped,
        "a",
        "grouped convolution cannot be pruned.* 'b' has 2 groups of 8 channels; leave .*'a'",
    ),
    (
        "made in groups",
        grouped,
        "b",
        "grouped convolution cannot be pruned.* 'b' has 2 groups of 8 channels; leave .*'b'",
    ),
    (
        "multiplied",
        lambda: grouped(16, 8),
        "a",
        "grouped convolution cannot be pruned.* 'b' has 8 groups of 8 channels",
    ),
    (
        "multiplied itself",
        lambda: grouped(16, 8),
        "b",
        "grouped convolution cannot be pruned.* 'b' has 8 groups of 8 channels",
    ),
    ("sum with the input", lambda: headed(3, a=Residual(3, 4)), "a.second", "must run without"),
    (
        "shares of channels",
        lambda: headed(8, a=nn.Conv2d(3, 8, 3), act=nn.Softmax(1)),
        "a",
        "with these channels at 0.*mixes channels",
    ),
    (
        "normalized over channels",
        lambda: headed(8, a=nn.Conv2d(3, 8, 3), norm=nn.GroupNorm(2, 8)),
        "a",
        EITHER,
    ),
]


@pytest.mark.parametrize(
    ("build", "site", "message"),
    [case[1:] for case in UNPRUNABLE],
    ids=[case[0] for case in UNPRUNABLE],
)
@pytest.mark.parametrize("ratio", [0.13, 0.25, 0.5])
def test_networks_that_cannot_be_pruned_are_refused_whatever_the_weights(
    build: Callable[[], nn.Module], site: str, message: str, ratio: float
) -> None:
    for seed in range(4):
        with seeded(seed):
            model = build()
        if site == "a.second" and ratio < 0.34:
            continue  # takes none of three channels
        with pytest.raises(ValueError, match=message):
            ChannelPruning().apply(model, {site: ratio}, IMAGES)


@pytest.mark.parametrize("ratio", [0.25, 0.5])
@pytest.mark.parametrize(
    ("build", "sites"),
    [
        (padded_shortcut, ("stem", "second")),
        (padded_shortcut, ("stem",)),
        (padded_shortcut, ("second",)),
        (padded_shortcut, ("",)),
        (shuffle_unit, ("stem",)),
        (shuffle_unit, ("branch",)),
        (shuffle_unit, ("",)),
        (shuffling, ("",)),
        (splitting, ("",)),
    ],
)
def test_networks_that_reorder_channels_are_pruned_correctly_or_refused(
    build: Callable[[], nn.Module], sites: Sequence[str], ratio: float
) -> None:
    done = right_or_refused(
        build, lambda model: ChannelPruning().apply(model, dict.fromkeys(sites, ratio), IMAGES)
    )
    # Equal halves of a split can be pruned by chance; the others cannot.
    assert not all(done) if build is splitting else not any(done)
