import pytest
import torch
from torch import Tensor, nn

from nas.space import SearchSpace
from nas.training.shared_weights import gathered
from search_spaces import blocks
from search_spaces.conv_blocks import ConvBlocks
from search_spaces.mlp import Mlp


def placed(*layers: nn.Module) -> nn.Module:
    """A network of one block, at the place where every network has its block."""
    return nn.Sequential(nn.Sequential(*layers))


def state(model: nn.Module) -> dict[str, Tensor]:
    return {name: parameter.detach().clone() for name, parameter in model.named_parameters()}


def block(operator: blocks.Block, width: int = 6) -> nn.Module:
    return nn.Sequential(operator(width, width, 1))


def test_a_narrow_network_has_the_first_channels_of_a_wide_one() -> None:
    wide, narrow = block(blocks.plain(3), 6), block(blocks.plain(3), 4)
    nn.init.normal_(wide.get_parameter("0.1.weight"))
    gathered([wide]).give(narrow)
    for name, parameter in narrow.named_parameters():
        whole = wide.get_parameter(name)
        assert torch.equal(parameter, whole[:4, :4] if whole.ndim > 1 else whole[:4])


def test_a_wide_network_keeps_its_own_values_where_there_are_no_others() -> None:
    wide, narrow = placed(nn.Linear(6, 6)), placed(nn.Linear(4, 3))
    before = state(wide)["0.0.weight"]
    gathered([narrow]).give(wide)
    weight = wide.get_parameter("0.0.weight")
    assert torch.equal(weight[:3, :4], narrow.get_parameter("0.0.weight"))
    assert torch.equal(weight[3:], before[3:])
    assert torch.equal(weight[:, 4:], before[:, 4:])


@pytest.mark.parametrize(("large", "small", "first"), [(5, 3, 1), (5, 1, 2), (4, 3, 1), (5, 4, 0)])
def test_smaller_kernels_are_the_middle_of_larger_ones(large: int, small: int, first: int) -> None:
    """Under a padding of half of the kernel they see the same pixels."""
    one, other = (
        placed(nn.Conv2d(2, 2, size, padding=size // 2, bias=False)) for size in (large, small)
    )
    inside = slice(first, first + small)
    with torch.no_grad():
        whole = one.get_parameter("0.0.weight")
        rim = torch.ones_like(whole)
        rim[:, :, inside, inside] = 0
        whole[rim == 1] = 0
    gathered([one]).give(other)
    assert torch.equal(other.get_parameter("0.0.weight"), whole[:, :, inside, inside])
    image = torch.rand(1, 2, 7, 7)
    assert torch.allclose(one(image)[:, :, :7, :7], other(image)[:, :, :7, :7], atol=1e-6)


def test_operators_of_a_place_do_not_mix() -> None:
    operators = {
        "plain": blocks.plain(3),
        "separable": blocks.separable(3),
        "inverted": blocks.inverted(3),
        "gated": blocks.inverted(3, squeeze=True),
    }
    for given, operator in operators.items():
        shared = gathered([block(operator)])
        for taken, other in operators.items():
            network = block(other)
            before = state(network)
            shared.give(network)
            same = [torch.equal(before[name], value) for name, value in state(network).items()]
            assert len(shared.parts(network)) == (len(before) if given == taken else 0)
            assert all(same) == (given != taken)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (nn.Conv2d(4, 4, 3), nn.Conv2d(4, 4, 3, groups=4)),
        (nn.Conv2d(4, 4, 3, groups=2), nn.Conv2d(4, 4, 3, groups=4)),
        (nn.Conv2d(4, 4, 3), nn.Conv2d(4, 4, 3, dilation=2)),
        (nn.Conv2d(4, 4, 3), nn.Conv1d(4, 4, 3)),
        (nn.Conv2d(4, 4, 3), nn.ConvTranspose2d(4, 4, 3)),
        (nn.BatchNorm1d(4), nn.Linear(4, 4)),
    ],
)
def test_layers_of_other_kinds_have_nothing_in_common(one: nn.Module, other: nn.Module) -> None:
    assert gathered([placed(one)]).parts(placed(other)) == {}


def test_what_is_gathered_is_as_large_as_the_largest_in_every_dimension() -> None:
    wide, deep = placed(nn.Linear(2, 5, bias=False)), placed(nn.Linear(4, 3, bias=False))
    (tensor,) = gathered([wide, deep]).tensors.values()
    assert tensor.shape == (5, 4)
    assert torch.equal(tensor[:3], deep.get_parameter("0.0.weight"))  # the last one's
    assert torch.equal(tensor[3:, :2], wide.get_parameter("0.0.weight")[3:])
    assert not tensor[3:, 2:].any()  # nobody's


@pytest.mark.parametrize("space", [ConvBlocks(), Mlp()])
def test_designs_of_a_space_give_and_take_by_place(space: SearchSpace) -> None:
    example = torch.zeros(2, 1, 16, 16)
    largest = space.build(
        space.choices.decode([arity - 1 for arity in space.choices.arities]), example, 10
    )
    shared = gathered([largest])
    again = space.build(
        space.choices.decode([arity - 1 for arity in space.choices.arities]), example, 10
    )
    shared.give(again)
    assert all(map(torch.equal, largest.parameters(), again.parameters()))
    with torch.no_grad():
        for parameter in again.parameters():
            parameter.zero_()  # changes the network alone
    assert all(map(torch.equal, shared.parts(largest).values(), largest.parameters()))
    smallest = space.build(space.choices.decode([0] * len(space.choices)), example, 10)
    before = state(smallest)
    shared.give(smallest)
    after = state(smallest)
    assert [name for name in after if not torch.equal(after[name], before[name])] == [
        name for name in shared.parts(smallest) if "norm" not in name and before[name].std() > 0
    ]
    assert all(value.isfinite().all() for value in after.values())


def test_a_weight_of_two_layers_has_one_name() -> None:
    one, other = nn.Linear(3, 3), nn.Linear(3, 3)
    other.weight = one.weight
    assert [name.partition(" of ")[0] for name in gathered([placed(one, other)]).tensors] == [
        "0.0.weight",
        "0.0.bias",
        "0.1.bias",
    ]
