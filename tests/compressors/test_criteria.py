from collections.abc import Sequence
from functools import partial

import pytest
import torch
from torch import Tensor, nn

from compressors.criteria import APOZ, FPGM, GAMMA, L1, L2, PruningCriterion, random, taylor
from compressors.groups import Group
from compressors.pruning import ChannelPruning
from compressors.removal import shrink
from nas.seeds import seeded

IMAGES = torch.randn(5, 2, 6, 6, generator=torch.Generator().manual_seed(0))
LABELS = torch.arange(5) % 3


def loss_on(inputs: Tensor, labels: Tensor, model: nn.Module) -> Tensor:
    return nn.functional.cross_entropy(model(inputs), labels)


TAYLOR = taylor(partial(loss_on, IMAGES, LABELS))


def network() -> nn.Sequential:
    """One group of 4 channels: those of two convolutions, the second depthwise, and a layer that
    reads 4 pixels of each.
    """
    with seeded(0):
        model = nn.Sequential(
            nn.Conv2d(2, 4, 3),
            nn.BatchNorm2d(4),
            nn.ReLU(),
            nn.Conv2d(4, 4, 3, groups=4, bias=False),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(16, 3),
        )
        nn.init.normal_(model.get_parameter("1.weight"))
    return model.eval()


def importance(
    model: nn.Module, criterion: PruningCriterion, example: Tensor = IMAGES
) -> list[Tensor]:
    """The importance of each group of a network."""
    seen: list[Tensor] = []

    def select(groups: Sequence[Group]) -> list[list[int]]:
        seen.extend(group.importance for group in groups)
        return [[] for _ in groups]

    shrink(model, {"": 0.5}, example, criterion, select)
    return seen


def parts(model: nn.Module, channel: int) -> list[Tensor]:
    """The weights of a channel: its filter, its gain, its depthwise filter, and the weights that
    read it.
    """
    weights = [model.get_parameter(f"{layer}.weight") for layer in (0, 1, 3)]
    return [
        *(weight[channel] for weight in weights),
        model.get_parameter("6.weight")[:, 4 * channel : 4 * channel + 4],
    ]


@pytest.mark.parametrize(("criterion", "power"), [(L1, 1), (L2, 2)])
def test_a_magnitude_is_the_mean_of_those_in_all_tied_layers(
    criterion: PruningCriterion, power: int
) -> None:
    model = network()
    (found,) = importance(model, criterion)
    expected = [
        sum(float((part.detach().abs() ** power).sum()) for part in parts(model, channel)) / 4
        for channel in range(4)
    ]
    assert found.tolist() == pytest.approx(expected, rel=1e-5)


def test_taylor_is_the_sum_of_weights_times_gradients_in_all_tied_layers() -> None:
    model = network()
    (found,) = importance(model, TAYLOR)
    for parameter in model.parameters():
        assert parameter.grad is None
    loss_on(IMAGES, LABELS, model).backward()  # type: ignore[no-untyped-call]
    weights = [model.get_parameter(f"{layer}.weight") for layer in (0, 1, 3, 6)]
    products = [
        (weight * weight.grad).abs().detach() for weight in weights if weight.grad is not None
    ]
    expected = [
        sum(float(product[channel].sum()) for product in products[:3])
        + float(products[3][:, 4 * channel : 4 * channel + 4].sum())
        for channel in range(4)
    ]
    assert found.tolist() == pytest.approx([total / 4 for total in expected], rel=1e-4)


def test_taylor_is_exact_for_a_linear_loss() -> None:
    with seeded(1):
        model = nn.Sequential(nn.Flatten(), nn.Linear(72, 3))

    def loss(network: nn.Module) -> Tensor:
        first: Tensor = network(IMAGES)[:, 0].sum()
        return first

    judged = taylor(loss).judged(model, IMAGES)[model[1], "made"]
    weight = model.get_parameter("1.weight")
    with torch.no_grad():
        before = loss(model)
        for place in ((0, 0), (0, 30), (0, 71), (1, 5)):
            kept = weight[place].clone()
            weight[place] = 0.0
            assert float(judged[place]) == pytest.approx(
                float((before - loss(model)).abs()), abs=1e-4
            )
            weight[place] = kept


def test_a_weight_without_a_part_in_the_loss_matters_nothing() -> None:
    model = network()
    judged = taylor(lambda network: network[0](IMAGES).sum()).judged(model, IMAGES)  # type: ignore[index]
    assert judged[model[0], "made"].all()
    assert not judged[model[6], "made"].any()


def test_taylor_wants_gradients_where_they_are_switched_off() -> None:
    with torch.no_grad():
        (found,) = importance(network(), TAYLOR)
        assert not torch.is_grad_enabled()
    assert torch.equal(found, importance(network(), TAYLOR)[0])


def test_an_error_of_the_loss_is_passed_on() -> None:
    def loss(model: nn.Module) -> Tensor:
        raise RuntimeError("no labels here")

    with pytest.raises(RuntimeError, match="no labels here"):
        importance(network(), taylor(loss))


def test_gamma_is_the_magnitude_of_gains_below_zero_too() -> None:
    model = network()
    with torch.no_grad():
        model.get_parameter("1.weight").copy_(torch.tensor([-2.0, 0.1, 0.0, -0.5]))
    assert importance(model, GAMMA)[0].tolist() == pytest.approx([2.0, 0.1, 0.0, 0.5])
    pruned = ChannelPruning(GAMMA).apply(model, {"0": 0.5}, IMAGES)
    assert pruned.get_parameter("1.weight").tolist() == [-2.0, -0.5]


def test_gamma_needs_batch_normalization_at_every_group() -> None:
    model = nn.Sequential(nn.Conv2d(2, 4, 3), nn.Flatten(), nn.Linear(64, 3))
    with pytest.raises(
        ValueError,
        match=r"'gamma' must have scores for one of the tied layers, but has none for \['0'\]",
    ):
        ChannelPruning(GAMMA).apply(model, {"0": 0.5}, IMAGES)


def test_filters_near_the_geometric_median_can_go() -> None:
    model = nn.Sequential(nn.Linear(2, 5, bias=False), nn.Linear(5, 2, bias=False))
    with torch.no_grad():
        # All are read with the same weights. The fourth is the smallest, the third the median.
        filters = torch.tensor([[4.0, 4.0], [1.0, 1.0], [2.0, 2.0], [0.0, 0.0], [5.0, 5.0]])
        model.get_parameter("0.weight").copy_(filters)
        model.get_parameter("1.weight").fill_(1.0)
    inputs = torch.eye(2)
    distances = [float((filters - row).norm(dim=1).sum()) for row in filters]
    assert importance(model, FPGM, inputs)[0].tolist() == pytest.approx(
        [distance / 2 for distance in distances]
    )
    pruned = ChannelPruning(FPGM).apply(model, {"0": 0.2}, inputs)
    assert pruned.get_parameter("0.weight")[:, 0].tolist() == [4.0, 1.0, 0.0, 5.0]


def test_distances_ignore_batch_normalization() -> None:
    model = network()
    made, _, filters, read = (
        model.get_parameter(f"{layer}.weight").detach() for layer in (0, 1, 3, 6)
    )
    rows = [made.flatten(1), filters.flatten(1), read.reshape(3, 4, 4).transpose(0, 1).flatten(1)]
    expected = sum(torch.cdist(row, row).sum(1) for row in rows) / 3
    assert importance(model, FPGM)[0].tolist() == pytest.approx(
        torch.as_tensor(expected).tolist(), rel=1e-4
    )


class Twice(nn.Module):
    """Concatenates the same channels twice."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.head = nn.Linear(2, 3, bias=False), nn.Linear(6, 2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        y = self.a(x)
        said: Tensor = self.head(torch.cat([y, y], 1))
        return said


def test_a_channel_that_is_read_twice_has_the_importance_of_both_readers() -> None:
    model = Twice()
    with torch.no_grad():
        model.a.weight.zero_()
        model.head.weight.copy_(torch.tensor([[1.0, 2.0, 3.0, 10.0, 20.0, 40.0]] * 2))
    assert importance(model, L1, torch.eye(2))[0].tolist() == pytest.approx([11.0, 22.0, 43.0])


def test_activity_is_the_share_of_inputs_that_are_not_zero() -> None:
    model = network()
    share = (model[:5](IMAGES) != 0).float().mean((0, 2, 3))
    # The depthwise convolution writes its channels, and the last layer reads them.
    assert importance(model, APOZ)[0].tolist() == pytest.approx(share.tolist())
    assert len(set(share.tolist())) == 4


def test_activity_is_that_on_the_example() -> None:
    model = nn.Sequential(nn.Linear(2, 3, bias=False), nn.ReLU(), nn.Linear(3, 2, bias=False))
    with torch.no_grad():
        model.get_parameter("0.weight").copy_(torch.tensor([[1.0, 0.0], [-1.0, 0.0], [1.0, 0.1]]))
    inputs = torch.tensor([[1.0, 0.0], [2.0, 0.0], [-1.0, 0.0], [0.5, 1.0]])
    assert importance(model, APOZ, inputs)[0].tolist() == [0.75, 0.25, 0.75]
    assert importance(model, APOZ, -inputs)[0].tolist() == [0.25, 0.75, 0.25]
    assert ChannelPruning(APOZ).apply(model, {"0": 0.34}, inputs).get_parameter("0.weight")[
        :, 0
    ].tolist() == [1.0, 1.0]


def test_random_importance_follows_from_the_seed_alone() -> None:
    before = torch.get_rng_state()
    first, again, other = (importance(network(), random(seed))[0] for seed in (3, 3, 4))
    assert torch.equal(first, again)
    assert not torch.equal(first.argsort(), other.argsort())
    assert torch.equal(torch.get_rng_state(), before)
    model = network()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(2.0)
    assert torch.equal(importance(model, random(3))[0], first)
    alike = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 8))
    one, two = (random(3).judged(alike, IMAGES)[layer, "made"] for layer in alike)
    assert not torch.equal(one, two)


class Sum(nn.Module):
    """Two layers whose channels are tied by a sum."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.head = (
            nn.Linear(2, 3, bias=False),
            nn.Linear(2, 3, bias=False),
            nn.Linear(3, 2, bias=False),
        )

    def forward(self, x: Tensor) -> Tensor:
        said: Tensor = self.head(torch.relu(self.a(x) + self.b(x)))
        return said


@pytest.mark.parametrize("criterion", [L1, L2], ids=lambda criterion: criterion.name)
def test_every_layer_of_a_group_contributes(criterion: PruningCriterion) -> None:
    model = Sum()
    with torch.no_grad():
        model.head.weight.fill_(1.0)
        model.a.weight.copy_(torch.tensor([[0.1, 0.1], [1.0, 1.0], [1.0, 1.0]]))
        model.b.weight.copy_(torch.tensor([[3.0, 3.0], [0.5, 0.5], [1.0, 1.0]]))
    pruned = ChannelPruning(criterion).apply(model, {"a": 0.34, "b": 0.34}, torch.eye(2))
    assert pruned.get_parameter("a.weight")[:, 0].tolist() == pytest.approx([0.1, 1.0])


@pytest.mark.parametrize(
    "criterion",
    [L1, L2, FPGM, GAMMA, APOZ, TAYLOR, random(0)],
    ids=lambda criterion: criterion.name,
)
def test_a_criterion_leaves_the_network_as_it_was(criterion: PruningCriterion) -> None:
    model, before = network().train(), network()
    criterion.judged(model, IMAGES)
    assert all(
        torch.equal(a, b)
        for a, b in zip(model.state_dict().values(), before.state_dict().values(), strict=True)
    )
    assert not any(module._forward_pre_hooks for module in model.modules())


@pytest.mark.parametrize(
    "criterion", [L1, L2, TAYLOR, random(0)], ids=lambda criterion: criterion.name
)
def test_some_criteria_score_single_weights(criterion: PruningCriterion) -> None:
    model = network()
    judged = criterion.judged(model, IMAGES)
    assert criterion.single_weights
    for layer in (model[0], model[3], model[6]):
        assert judged[layer, "made"].shape == layer.weight.shape
        assert judged[layer, "made"].min() >= 0
    assert not any(other.single_weights for other in (FPGM, GAMMA, APOZ))
