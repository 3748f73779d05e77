import copy
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from compressors.criteria import APOZ, FPGM, GAMMA, L1, PruningCriterion, random, taylor
from compressors.pruning import ChannelPruning, prunable, prune_globally
from compressors.quantization import Quantization
from nas.compress import compress
from nas.lowering import lower
from nas.measure import costs
from nas.program import Program
from nas.quantize import UnsupportedError
from nas.seeds import seeded
from nas.space import SearchSpace
from search_spaces.conv_stages import ConvStages
from search_spaces.mlp import Mlp
from tests.networks import Wired

IMAGES = torch.randn(6, 3, 8, 8, generator=torch.Generator().manual_seed(0))
TABLE = torch.randn(6, 5, generator=torch.Generator().manual_seed(0))


def named(**layers: nn.Module) -> nn.Sequential:
    model = nn.Sequential()
    for name, layer in layers.items():
        model.add_module(name, layer)
    return model


def headed(channels: int, **layers: nn.Module) -> nn.Sequential:
    """Layers with global average pooling and a linear head of 4 logits."""
    return named(
        **layers, pool=nn.AdaptiveAvgPool2d(1), flatten=nn.Flatten(), head=nn.Linear(channels, 4)
    )


def depthwise(channels: int) -> nn.Conv2d:
    return nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False)


class Inverted(nn.Module):
    """An inverted residual block."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.widen = nn.Sequential(
            nn.Conv2d(channels, hidden, 1, bias=False), nn.BatchNorm2d(hidden), nn.ReLU6()
        )
        self.depthwise = nn.Sequential(depthwise(hidden), nn.BatchNorm2d(hidden), nn.ReLU6())
        self.narrow = nn.Sequential(
            nn.Conv2d(hidden, channels, 1, bias=False), nn.BatchNorm2d(channels)
        )

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.narrow(self.depthwise(self.widen(x)))
        return x + y


class Residual(nn.Module):
    """A basic residual block."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.first = nn.Sequential(
            nn.Conv2d(channels, hidden, 3, padding=1), nn.BatchNorm2d(hidden), nn.ReLU(inplace=True)
        )
        self.second = nn.Sequential(
            nn.Conv2d(hidden, channels, 3, padding=1), nn.BatchNorm2d(channels)
        )

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.second(self.first(x))
        return torch.relu(x + y)


class Squeeze(nn.Module):
    """Squeeze and excite."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.down, self.up = nn.Conv2d(channels, hidden, 1), nn.Conv2d(hidden, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(self.up(torch.relu(self.down(x.mean((2, 3), keepdim=True)))))


def plain() -> nn.Module:
    return headed(6, a=nn.Conv2d(3, 8, 3), relu0=nn.ReLU(), b=nn.Conv2d(8, 6, 3), relu1=nn.ReLU())


def normalized() -> nn.Module:
    first = [nn.Conv2d(3, 8, 3, bias=False), nn.BatchNorm2d(8), nn.ReLU()]
    second = [nn.Conv2d(8, 6, 3), nn.ReLU(inplace=True), nn.BatchNorm2d(6)]
    return headed(6, a=nn.Sequential(*first), b=nn.Sequential(*second), relu=nn.PReLU())


def separable() -> nn.Module:
    stem = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU())
    block = nn.Sequential(
        depthwise(8),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Conv2d(8, 6, 1),
        nn.BatchNorm2d(6),
        nn.Hardswish(),
    )
    return headed(6, stem=stem, block=block)


def inverted() -> nn.Module:
    return headed(8, stem=nn.Conv2d(3, 8, 3), one=Inverted(8, 12), two=Inverted(8, 10))


def residual() -> nn.Module:
    return headed(8, stem=nn.Conv2d(3, 8, 3), stage=nn.Sequential(Residual(8, 6), Residual(8, 4)))


def flattened() -> nn.Module:
    layers = {
        "a": nn.Conv2d(3, 8, 3),
        "relu": nn.ReLU(),
        "pool": nn.MaxPool2d(2),
        "flatten": nn.Flatten(),
    }
    return named(
        **layers, norm=nn.BatchNorm1d(72), b=nn.Linear(72, 10), act=nn.ReLU(), head=nn.Linear(10, 4)
    )


def squeezed() -> nn.Module:
    return headed(6, a=nn.Conv2d(3, 8, 3), squeeze=Squeeze(8, 4), b=nn.Conv2d(8, 6, 1))


def joined() -> nn.Module:
    def run(net: Wired, x: Tensor) -> Tensor:
        y = torch.relu(net["norm"](torch.cat([net["a"](x), net["b"](x)], 1)))
        return net["head"](torch.relu(net["c"](y)).mean((2, 3)))

    # Registered in another order than that of the forward pass.
    parts = {"head": nn.Linear(6, 4), "c": nn.Conv2d(10, 6, 1), "norm": nn.BatchNorm2d(10)}
    return Wired(run, **parts, b=nn.Conv2d(3, 6, 3), a=nn.Conv2d(3, 4, 3))


def joined_depthwise() -> nn.Module:
    def run(net: Wired, x: Tensor) -> Tensor:
        return net["head"](
            net["point"](net["depth"](torch.cat([net["a"](x), net["b"](x)], 1))).mean((2, 3))
        )

    parts = {"a": nn.Conv2d(3, 4, 3), "b": nn.Conv2d(3, 6, 3), "depth": depthwise(10)}
    return Wired(run, **parts, point=nn.Conv2d(10, 6, 1), head=nn.Linear(6, 4))


def padded_shortcut() -> nn.Module:
    """A residual block that halves the image and adds channels; its shortcut is padded with channels
    of zeros (He et al., 2016).
    """

    def run(net: Wired, x: Tensor) -> Tensor:
        y = torch.relu(net["stem"](x))
        shortcut = nn.functional.pad(y[:, :, ::2, ::2], (0, 0, 0, 0, 0, 4))
        return net["head"](
            torch.relu(net["second"](torch.relu(net["first"](y))) + shortcut).mean((2, 3))
        )

    first, second = nn.Conv2d(4, 6, 3, stride=2, padding=1), nn.Conv2d(6, 8, 3, padding=1)
    return Wired(run, stem=nn.Conv2d(3, 4, 3), first=first, second=second, head=nn.Linear(8, 4))


def shuffle_unit() -> nn.Module:
    """Half of the channels are convolved, and all are shuffled (ShuffleNet V2, Ma et
    al., 2018).
    """

    def run(net: Wired, x: Tensor) -> Tensor:
        left, right = net["stem"](x).chunk(2, 1)
        y = torch.cat([left, torch.relu(net["branch"](right))], 1)
        count, channels, height, width = y.shape
        y = (
            y.view(count, 2, channels // 2, height, width)
            .transpose(1, 2)
            .reshape(count, channels, height, width)
        )
        return net["head"](torch.relu(net["last"](y)).mean((2, 3)))

    branch = nn.Sequential(nn.Conv2d(4, 5, 1), nn.ReLU(), depthwise(5), nn.Conv2d(5, 4, 1))
    return Wired(
        run, stem=nn.Conv2d(3, 8, 3), branch=branch, last=nn.Conv2d(8, 6, 1), head=nn.Linear(6, 4)
    )


def dense() -> nn.Module:
    def run(net: Wired, x: Tensor) -> Tensor:
        y = torch.relu(net["a"](x))
        return net["head"](torch.cat([y, torch.relu(net["b"](y))], 1).mean((2, 3)))

    return Wired(run, a=nn.Conv2d(3, 8, 3), b=nn.Conv2d(8, 6, 3, padding=1), head=nn.Linear(14, 4))


def shared() -> nn.Module:
    mix = nn.Conv2d(8, 8, 1)
    return headed(8, a=nn.Conv2d(3, 8, 3), mix=mix, relu=nn.ReLU(), again=mix)


def gained() -> nn.Module:
    def run(net: Wired, x: Tensor) -> Tensor:
        return net["head"]((net["a"](x) * net.tensor("gain")).mean((2, 3)))

    return Wired(
        run, a=nn.Conv2d(3, 8, 3), gain=nn.Parameter(torch.rand(1, 8, 1, 1)), head=nn.Linear(8, 4)
    )


@dataclass(frozen=True)
class Case:
    """A network, the ratios at its sites, and its widths after pruning."""

    build: Callable[[], nn.Module]
    ratios: Mapping[str, float]
    widths: Mapping[str, int]


def margined() -> nn.Module:
    """Zeros around images, by a module and by a function."""

    def run(net: Wired, x: Tensor) -> Tensor:
        y = torch.relu(net["b"](net["pad"](net["a"](x))))
        y = net["pool"](net["c"](nn.functional.pad(y, (0, 1, 0, 1))))
        return net["head"](torch.flatten(y, 1))

    return Wired(
        run,
        a=nn.Conv2d(3, 8, 3),
        pad=nn.ZeroPad2d((2, 0, 1, 1)),
        b=nn.Conv2d(8, 6, 3),
        c=nn.Conv2d(6, 5, 3, stride=2),
        pool=nn.AdaptiveAvgPool2d(1),
        head=nn.Linear(5, 4),
    )


CASES = [
    Case(plain, {"a": 0.5, "b": 0.34}, {"a": 4, "b": 4, "head": 4}),
    Case(normalized, {"a": 0.25, "b": 0.5}, {"a.0": 6, "b.0": 3, "head": 4}),
    Case(
        separable,
        {"stem": 0.5, "block": 0.34},
        {"stem.0": 4, "block.0": 4, "block.3": 4, "head": 4},
    ),
    Case(separable, {"block": 0.5}, {"stem.0": 8, "block.0": 8, "block.3": 3, "head": 4}),
    Case(
        inverted,
        {"": 0.5},
        {
            "stem": 4,
            "one.widen.0": 6,
            "one.depthwise.0": 6,
            "one.narrow.0": 4,
            "two.widen.0": 5,
            "two.narrow.0": 4,
            "head": 4,
        },
    ),
    Case(
        inverted,
        {"one.widen": 0.25},
        {"stem": 8, "one.widen.0": 9, "one.depthwise.0": 9, "one.narrow.0": 8, "two.widen.0": 10},
    ),
    Case(
        residual,
        {"stem": 0.25, "stage": 0.25},
        {
            "stem": 6,
            "stage.0.first.0": 5,
            "stage.0.second.0": 6,
            "stage.1.first.0": 3,
            "stage.1.second.0": 6,
            "head": 4,
        },
    ),
    Case(flattened, {"a": 0.5, "b": 0.3}, {"a": 4, "b": 7, "head": 4}),
    Case(squeezed, {"": 0.5}, {"a": 4, "squeeze.down": 2, "squeeze.up": 4, "b": 3, "head": 4}),
    Case(joined, {"a": 0.5, "b": 0.34, "c": 0.5}, {"a": 2, "b": 4, "c": 3, "head": 4}),
    Case(joined_depthwise, {"a": 0.5, "b": 0.5}, {"a": 2, "b": 3, "depth": 5, "point": 6}),
    Case(joined_depthwise, {"b": 0.84}, {"a": 4, "b": 1, "depth": 5, "point": 6}),
    Case(dense, {"": 0.5}, {"a": 4, "b": 3, "head": 4}),
    Case(shared, {"": 0.5}, {"a": 4, "mix": 4, "head": 4}),
    Case(gained, {"a": 0.5}, {"a": 4, "head": 4}),
    Case(margined, {"a": 0.5, "b": 0.34}, {"a": 4, "b": 4, "c": 5, "head": 4}),
    Case(padded_shortcut, {"first": 0.5}, {"stem": 4, "first": 3, "second": 8, "head": 4}),
    Case(
        shuffle_unit,
        {"last": 0.5, "branch.0": 0.4},
        {"stem": 8, "branch.0": 3, "branch.2": 3, "branch.3": 4, "last": 3},
    ),
]
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)


def seeded_network(build: Callable[[], nn.Module], seed: int = 0) -> nn.Module:
    """A network in evaluation mode as if it were trained: batch normalization with gains, shifts
    and statistics.
    """
    with seeded(seed):
        model = build().eval()
        for module in model.modules():
            if isinstance(module, NORMS):
                nn.init.uniform_(module.weight, 0.5, 1.5)
                nn.init.normal_(module.bias)
                assert module.running_mean is not None
                assert module.running_var is not None
                module.running_mean.normal_()
                module.running_var.uniform_(0.5, 2.0)
    return model


def widths(model: nn.Module) -> dict[str, int]:
    return {
        name: module.weight.shape[0]
        for name, module in model.named_modules()
        if isinstance(module, (nn.Conv2d, nn.Linear))
    }


def masked(model: nn.Module, pruned: nn.Module) -> Tensor:
    """The outputs of the original network with the removed channels of each layer at zero; biases
    identify these channels.
    """

    def hook(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        return output.index_fill(1, lost[module], 0.0)

    lost: dict[nn.Module, Tensor] = {}
    hooks = []
    for name, module in model.named_modules():
        if isinstance(module, (nn.Conv2d, nn.Linear, *NORMS)) and module.bias is not None:
            before, after = module.bias.tolist(), pruned.get_parameter(f"{name}.bias").tolist()
            assert len(set(before)) == len(before)
            assert [value for value in before if value in after] == after  # in their order
            lost[module] = torch.tensor(
                [i for i, value in enumerate(before) if value not in after], dtype=torch.int64
            )
            hooks.append(module.register_forward_hook(hook))
    said: Tensor = model(IMAGES)
    for handle in hooks:
        handle.remove()
    assert sum(map(len, lost.values())) > 0
    return said


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.build.__name__)
def test_a_smaller_network_gives_the_outputs_of_a_masked_one(case: Case, seed: int) -> None:
    model = seeded_network(case.build, seed)
    pruned = ChannelPruning().apply(copy.deepcopy(model), case.ratios, IMAGES)
    assert widths(pruned).items() >= case.widths.items()
    with torch.no_grad():
        said, expected, whole = pruned(IMAGES), masked(model, pruned), model(IMAGES)
    # The part of the logits that depends on the image.
    response = float((expected - expected.mean(0)).abs().max())
    assert float((said - expected).abs().max()) < 1e-3 * response
    assert float((said - whole).abs().max()) > 0.1 * response


def two_layers(first: list[list[float]], second: list[list[float]]) -> nn.Sequential:
    model = named(a=nn.Linear(2, len(first), bias=False), head=nn.Linear(len(first), 2, bias=False))
    with torch.no_grad():
        model.get_parameter("a.weight").copy_(torch.tensor(first))
        model.get_parameter("head.weight").copy_(torch.tensor(second))
    return model


def test_the_channels_of_smallest_norm_go_and_the_others_keep_their_order() -> None:
    ones = [[1.0] * 4] * 2
    model = two_layers([[3.0, 0.0], [0.5, 0.5], [-2.0, 1.0], [1.0, -0.2]], ones)
    pruned = ChannelPruning().apply(model, {"a": 0.5}, torch.eye(2))
    assert pruned.get_parameter("a.weight").tolist() == [[3.0, 0.0], [-2.0, 1.0]]
    assert pruned.get_parameter("head.weight").tolist() == [[1.0, 1.0], [1.0, 1.0]]


def test_the_norm_is_that_of_all_weights_of_a_channel() -> None:
    # The first channel is written with small weights and read with large ones.
    model = two_layers([[0.1, 0.0], [1.0, 0.0], [1.0, 0.1]], [[9.0, 0.1, 0.2], [9.0, 0.1, 0.2]])
    pruned = ChannelPruning().apply(model, {"a": 0.34}, torch.eye(2))
    assert torch.equal(pruned.get_parameter("a.weight"), torch.tensor([[0.1, 0.0], [1.0, 0.1]]))
    assert torch.equal(pruned.get_parameter("head.weight"), torch.tensor([[9.0, 0.2], [9.0, 0.2]]))


@pytest.mark.parametrize(
    ("width", "ratio", "left"),
    [
        (1, 0.99, 1),
        (2, 0.49, 2),
        (2, 0.5, 1),
        (2, 0.99, 1),
        (3, 0.33, 3),
        (3, 0.34, 2),
        (5, 0.5, 3),
        (7, 0.99, 1),
        (8, 0.25, 6),
        (8, 0.9, 1),
    ],
)
@pytest.mark.parametrize("kind", ["conv", "linear"])
def test_a_width_loses_the_whole_channels_of_its_share(
    width: int, ratio: float, left: int, kind: str
) -> None:
    if kind == "linear":
        model, inputs = (
            named(a=nn.Linear(5, width), relu=nn.ReLU(), head=nn.Linear(width, 4)),
            TABLE,
        )
    else:
        model, inputs = (
            headed(
                width, a=nn.Conv2d(3, width, 3), norm=nn.BatchNorm2d(width), depth=depthwise(width)
            ),
            IMAGES,
        )
    pruned = ChannelPruning().apply(model, {"a": ratio}, inputs)
    assert left == width - math.floor(ratio * width)
    assert widths(pruned)["a"] == left
    assert pruned(inputs).shape == (6, 4)
    assert {
        part.weight.shape[0]
        for part in pruned.modules()
        if isinstance(part, (nn.BatchNorm2d, nn.Conv2d))
    } <= {left}


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


def test_the_inner_site_decides() -> None:
    for ratios in ({"": 0.5, "b": 0.0}, {"b": 0.0, "": 0.5}):
        assert widths(ChannelPruning().apply(plain(), ratios, IMAGES)) == {
            "a": 4,
            "b": 6,
            "head": 4,
        }


@pytest.mark.parametrize("ratios", [{"": 0.0}, {"a": 0.0, "b": 0}, {"a": 0.1, "b": 0.16}])
def test_nothing_to_remove_leaves_the_network_as_it_is(ratios: dict[str, float]) -> None:
    model, before = seeded_network(plain), seeded_network(plain)
    pruned = ChannelPruning().apply(model, ratios, IMAGES)
    assert all(
        torch.equal(a, b)
        for a, b in zip(pruned.state_dict().values(), before.state_dict().values(), strict=True)
    )
    assert torch.equal(pruned(IMAGES), before(IMAGES))


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
        "not zero of zero",
        lambda: headed(8, a=nn.Conv2d(3, 8, 3), act=nn.Sigmoid()),
        "a",
        "with these channels at 0.*sigmoids",
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


def right_or_refused(
    build: Callable[[], nn.Module], pruned: Callable[[nn.Module], nn.Module]
) -> list[bool]:
    """Whether each of 12 networks was pruned; asserts that it then gives the outputs of the masked
    one.
    """
    done = []
    for seed in range(12):
        model = seeded_network(build, seed)
        try:
            smaller = pruned(copy.deepcopy(model))
        except ValueError:
            done.append(False)
        else:
            assert torch.allclose(smaller(IMAGES), masked(model, smaller), rtol=1e-4, atol=1e-5)
            done.append(True)
    return done


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


def loss_on_images(model: nn.Module) -> Tensor:
    return nn.functional.cross_entropy(model(IMAGES), torch.arange(6) % 4)


# The networks with batch normalization at every site of a case.
NORMALISED = (normalized, separable, inverted, residual)
CRITERIA = [L1, FPGM, GAMMA, APOZ, random(0), taylor(loss_on_images)]


@pytest.mark.parametrize("criterion", CRITERIA, ids=lambda criterion: criterion.name)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.build.__name__)
def test_every_criterion_shrinks_a_network_right(case: Case, criterion: PruningCriterion) -> None:
    model = seeded_network(case.build)
    if criterion is GAMMA and case.build not in NORMALISED:
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


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.build.__name__)
def test_a_pruned_network_trains_on(case: Case) -> None:
    model = seeded_network(case.build).train()
    labels = torch.arange(6) % 4
    nn.functional.cross_entropy(model(IMAGES), labels).backward()  # type: ignore[no-untyped-call]
    pruned = ChannelPruning().apply(model, case.ratios, IMAGES).train()
    optimizer = torch.optim.AdamW(pruned.parameters(), lr=0.01)
    losses = []
    for _ in range(6):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(pruned(IMAGES), labels)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
    for parameter in pruned.parameters():
        assert parameter.grad is not None
        assert parameter.grad.shape == parameter.shape
        assert parameter.grad.isfinite().all()


def program(model: nn.Module) -> Program | None:
    """The integer program; None if the network has none, whether it is pruned or not."""
    try:
        return lower(model, IMAGES)
    except UnsupportedError:
        return None


LOWERED = [case for case in CASES if program(seeded_network(case.build)) is not None]


def test_most_networks_here_have_an_integer_form() -> None:
    assert len(LOWERED) >= 7


@pytest.mark.parametrize("case", LOWERED, ids=lambda case: case.build.__name__)
def test_a_pruned_network_can_be_quantized(case: Case) -> None:
    model = ChannelPruning().apply(seeded_network(case.build), case.ratios, IMAGES)
    expected = model.eval()(IMAGES)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    quantized = Quantization().apply(model, {"": 8}, IMAGES)
    assert widths(quantized).items() >= case.widths.items()
    assert (quantized(IMAGES) - expected).norm() < 0.1 * expected.norm()
    assert costs(quantized, lower(quantized, IMAGES))["params"] == parameters


def test_pruning_draws_nothing_and_repeats_itself() -> None:
    before = torch.get_rng_state()
    first, second = (
        ChannelPruning().apply(seeded_network(inverted), {"": 0.5}, IMAGES) for _ in range(2)
    )
    assert all(
        torch.equal(a, b)
        for a, b in zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    )
    assert torch.equal(torch.get_rng_state(), before)


def test_widths_follow_from_the_ratios_and_not_from_the_weights_or_the_example() -> None:
    for case in CASES:
        first = ChannelPruning().apply(seeded_network(case.build, 0), case.ratios, IMAGES)
        second = ChannelPruning().apply(seeded_network(case.build, 1), case.ratios, IMAGES[:1])
        assert widths(first) == widths(second)
        one, other = program(first), program(second)
        assert (one is None) == (other is None)
        if one is not None and other is not None:
            assert costs(first, one) == costs(second, other)


@pytest.mark.parametrize("space", [ConvStages(), Mlp()], ids=lambda space: type(space).__name__)
def test_every_design_of_the_spaces_is_pruned_to_its_widths(space: SearchSpace) -> None:
    rng = np.random.default_rng(0)
    example = torch.rand(4, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    for seed in range(30):
        design = space.choices.decode(space.choices.sample(rng))
        with seeded(seed):
            model = space.build(design, example, 10)
        pruned = compress(model, design, [ChannelPruning()], example)
        assert pruned(example).shape == (4, 10)
        said = example
        for name, child in pruned.named_children():
            said = child(said)
            if f"{name}.width" in design:
                width: Any = design[f"{name}.width"]
                ratio: Any = design[f"{name}.prune"]
                assert said.shape[1] == width - math.floor(ratio * width)
