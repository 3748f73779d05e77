import copy
import doctest
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from compressors import blocks
from compressors.blocks import BlockPruning, drop_blocks, droppable
from nas.seeds import seeded
from nas.space import Choice, Choices, Design
from nas.testing.compressor import check_compressor

IMAGES = torch.randn(4, 1, 6, 6, generator=torch.Generator().manual_seed(0))


class Residual(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.inner = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1), nn.BatchNorm2d(channels)
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x + self.inner(x))


def network() -> nn.Sequential:
    with seeded(0):
        model = nn.Sequential()
        layers: dict[str, nn.Module] = {
            "stem": nn.Conv2d(1, 4, 3),
            "relu": nn.ReLU(),
            "one": Residual(4),
            "two": Residual(4),
        }
        for name, layer in {**layers, "flatten": nn.Flatten(), "head": nn.Linear(64, 3)}.items():
            model.add_module(name, layer)
    return model.eval()


def test_the_examples_in_the_documentation_are_right() -> None:
    result = doctest.testmod(blocks)
    assert result.attempted >= 2
    assert result.failed == 0


def test_blocks_that_keep_the_shape_can_be_dropped() -> None:
    class Widening(Residual):
        def forward(self, x: Tensor) -> Tensor:
            return torch.cat([x, super().forward(x)], 1)

    class Nested(Residual):
        def __init__(self) -> None:
            super().__init__(4)
            self.within = Residual(4)

        def forward(self, x: Tensor) -> Tensor:
            return self.within(super().forward(x))  # type: ignore[no-any-return]

    assert droppable(network(), IMAGES) == ["one", "two"]
    layers = [
        nn.Conv2d(1, 4, 3),
        nn.Sequential(Residual(4)),
        Nested(),
        nn.Sequential(nn.Conv2d(4, 4, 1)),
        Widening(4),
    ]
    model = nn.Sequential(*layers, nn.Flatten(), nn.Linear(128, 3))
    assert droppable(model, IMAGES) == ["1.0", "2"]
    assert drop_blocks(model, ["1.0", "2"], IMAGES)(IMAGES).shape == (4, 3)


def test_the_network_runs_without_the_block() -> None:
    model = network()
    dropped = drop_blocks(model, ["one"], IMAGES)
    stem, relu, _, two, flatten, head = model.children()
    expected = head(flatten(two(relu(stem(IMAGES)))))
    assert torch.equal(dropped(IMAGES), expected)
    assert not torch.equal(model(IMAGES), expected)
    assert isinstance(dropped.get_submodule("one"), nn.Identity)
    assert isinstance(model.get_submodule("one"), Residual)
    # A residual block whose body is 0 is the identity after a ReLU.
    with torch.no_grad():
        for parameter in model.get_submodule("one.inner").parameters():
            parameter.zero_()
    assert torch.allclose(model(IMAGES), expected)


def test_looking_at_shapes_is_no_training() -> None:
    before = network().state_dict()
    after = drop_blocks(network().train(), ["one"], IMAGES).state_dict()
    assert all(torch.equal(before[name], tensor) for name, tensor in after.items())


def test_a_layer_and_an_inner_block_can_be_dropped_too() -> None:
    dropped = drop_blocks(network(), ["one.inner.0", "two", "two.inner"], IMAGES)
    assert isinstance(dropped.get_submodule("one.inner.0"), nn.Identity)
    assert isinstance(dropped.get_submodule("two"), nn.Identity)
    assert not list(dropped.get_submodule("two").children())
    assert dropped(IMAGES).shape == (4, 3)


def test_only_the_chosen_blocks_are_dropped() -> None:
    model = BlockPruning().apply(network(), {"one": False, "two": True}, IMAGES)
    assert [type(child).__name__ for child in model.children()][2:4] == ["Residual", "Identity"]
    untouched = BlockPruning().apply(network(), {"one": False, "two": False, "stem": False}, IMAGES)
    assert torch.equal(untouched(IMAGES), network()(IMAGES))


def test_a_block_under_two_names_is_dropped_under_both() -> None:
    model = network()
    model.two = model.one
    dropped = drop_blocks(model, ["two"], IMAGES)
    for name in ("one", "two"):
        assert type(dropped.get_submodule(name)) is nn.Identity


def test_blocks_that_change_the_shape_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"'stem' makes \[2, 4, 4, 4\] of \[2, 1, 6, 6\]"):
        drop_blocks(network(), ["one", "stem"], IMAGES)


class Gate(nn.Module):
    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return x * y


def test_blocks_with_more_than_one_input_are_refused() -> None:
    class Gated(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gate, self.unused = Gate(), nn.ReLU()

        def forward(self, x: Tensor) -> Tensor:
            gated: Tensor = self.gate(x, x)
            return gated

    model = Gated()
    with pytest.raises(
        ValueError, match=r"'gate' makes \[2, 1, 6, 6\] of \[2, 1, 6, 6\] and \[2, 1, 6, 6\]"
    ):
        BlockPruning().apply(model, {"gate": True}, IMAGES)
    with pytest.raises(
        ValueError,
        match=r"must be called in the forward pass to be dropped, but \['unused'\] are not",
    ):
        BlockPruning().apply(model, {"unused": True}, IMAGES)
    assert not any(module._forward_hooks for module in model.modules())


@pytest.mark.parametrize("option", [1, 0, None, "yes"])
def test_other_options_are_refused_with_their_site(option: Any) -> None:
    with pytest.raises(ValueError, match=f"must be True or False, but got {option!r} at 'two'"):
        BlockPruning().apply(network(), {"one": True, "two": option}, IMAGES)


@pytest.mark.parametrize("site", ["", "three"])
def test_a_site_that_is_no_block_is_refused(site: str) -> None:
    with pytest.raises(
        ValueError,
        match=rf"must be a module of the network, one of \['stem', .*\], but got '{site}'",
    ):
        drop_blocks(network(), [site], IMAGES)


def test_it_keeps_the_contract_of_compressors() -> None:
    class Space:
        choices = Choices(
            [Choice("one", "drop", (False, True)), Choice("two", "drop", (False, True))]
        )

        def build(self, design: Design, example: Tensor, classes: int) -> nn.Module:
            return copy.deepcopy(network())

    check_compressor(BlockPruning(), Space(), IMAGES, 3, np.random.default_rng(0))
