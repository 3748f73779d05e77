import copy
import math

import pytest
import torch
from torch import nn

from compressors.pruning import ChannelPruning, prunable, prune
from tests.compressors.pruning_cases import CASES, IMAGES, Case, masked, seeded_network, widths
from tests.compressors.pruning_networks import depthwise, headed, inverted, named, plain

TABLE = torch.randn(6, 5, generator=torch.Generator().manual_seed(0))


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


@pytest.mark.parametrize("between", [nn.Sigmoid(), nn.Softplus(), nn.LogSigmoid()])
def test_channels_of_which_a_function_makes_another_value_than_0_are_removed(
    between: nn.Module,
) -> None:
    layers = {"norm": nn.BatchNorm2d(8), "pool": nn.AvgPool2d(2), "flatten": nn.Flatten()}
    model = seeded_network(
        lambda: named(
            a=nn.Conv2d(3, 8, 3),
            act=between,
            **layers,
            b=nn.Linear(72, 6),
            again=between,
            head=nn.Linear(6, 4),
        )
    )
    assert prunable(model, IMAGES) == [("a",), ("b",)]
    pruned = prune(model, 0.5, IMAGES)
    assert widths(pruned) == {"a": 4, "b": 3, "head": 4}
    # What the rest reads of the removed channels is 0.
    kept = [
        torch.tensor([value in pruned.get_parameter(name).tolist() for value in biases.tolist()])
        for name, biases in model.named_parameters()
        if name in ("a.bias", "b.bias")
    ]
    with torch.no_grad():
        model.get_parameter("b.weight").mul_(kept[0].repeat_interleave(9))
        model.get_parameter("head.weight").mul_(kept[1])
        torch.testing.assert_close(pruned(IMAGES), model(IMAGES))


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
