import copy

import pytest
import torch
from torch import Tensor, nn

from nas.layers import (
    WeightLayer,
    constructor_arguments,
    copied_at,
    forward_hooks,
    layers_at,
    named_layers,
    replace_modules,
)


def network() -> nn.Module:
    model = nn.Sequential()
    model.add_module("a", nn.Linear(3, 3))
    model.add_module("b", nn.Sequential(nn.Conv2d(1, 1, 1), nn.ReLU(), nn.Linear(3, 3)))
    model.add_module("b2", nn.Linear(3, 2))
    return model


def test_the_layers_of_a_network_are_named_once_and_in_order() -> None:
    assert list(named_layers(network())) == ["a", "b.0", "b.2", "b2"]
    layer = nn.Linear(3, 3)
    assert named_layers(nn.Sequential(layer, nn.ReLU(), layer)) == {"0": layer}


@pytest.mark.parametrize(
    ("site", "names"),
    [
        ("a", ["a"]),
        ("b", ["b.0", "b.2"]),
        ("b.2", ["b.2"]),
        ("b2", ["b2"]),
        ("", ["a", "b.0", "b.2", "b2"]),
    ],
)
def test_the_layers_at_a_site_are_those_at_and_below_it(site: str, names: list[str]) -> None:
    model = network()
    assert {name: id(layer) for name, layer in layers_at(model, site).items()} == {
        name: id(model.get_submodule(name)) for name in names
    }


def test_a_layer_that_is_used_twice_is_found_by_both_of_its_names() -> None:
    layer = nn.Linear(3, 3)
    model = nn.Sequential(layer, nn.ReLU(), layer)
    assert list(layers_at(model, "")) == ["0", "2"]
    assert layers_at(model, "2")["2"] is layer


def test_an_unknown_site_is_refused_with_the_known_ones() -> None:
    with pytest.raises(
        ValueError, match=r"must name a module of the network, \['a', 'b', .*'b2'\], but got 'b.3'"
    ):
        layers_at(network(), "b.3")


def test_a_site_without_layers_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"must hold a convolution or linear layer, but 'b.1' is ReLU\(\)"
    ):
        layers_at(network(), "b.1")


def test_finding_layers_changes_nothing() -> None:
    model = network()
    before = copy.deepcopy(model)
    layers_at(model, "")
    assert str(model) == str(before)


def test_a_module_is_replaced_under_all_of_its_names() -> None:
    layer, other = nn.Linear(3, 3), nn.Linear(3, 3)
    model = nn.Sequential(layer, nn.Sequential(layer), nn.ReLU())
    assert replace_modules(model, {layer: other}) is model
    assert model[0] is other
    assert model.get_submodule("1.0") is other


def test_a_replaced_network_is_its_replacement() -> None:
    model, other = nn.Linear(3, 3), nn.Linear(3, 3)
    assert replace_modules(model, {model: other}) is other


def test_nothing_is_replaced_inside_a_replaced_module() -> None:
    inner = nn.Linear(3, 3)
    outer, identity = nn.Sequential(inner), nn.Identity()
    model = nn.Sequential(outer)
    replace_modules(model, {outer: identity, inner: nn.Linear(3, 3)})
    assert model[0] is identity
    assert outer[0] is inner


def test_hooks_see_and_replace_outputs_until_the_context_ends() -> None:
    model, x = nn.Sequential(nn.Identity(), nn.Identity()), torch.ones(2)

    def double(module: nn.Module, inputs: tuple[Tensor], output: Tensor) -> Tensor:
        assert inputs[0] is output
        return 2 * output

    with forward_hooks((child, double) for child in model):
        assert torch.equal(model(x), 4 * x)
    assert torch.equal(model(x), x)


def test_hooks_are_removed_after_an_error() -> None:
    model = nn.Identity()

    def refuse(module: nn.Module, inputs: tuple[Tensor], output: Tensor) -> None:
        raise ValueError("refused")

    with pytest.raises(ValueError, match="refused"), forward_hooks([(model, refuse)]):
        model(torch.ones(2))
    assert torch.equal(model(torch.ones(2)), torch.ones(2))


@pytest.mark.parametrize(
    "layer",
    [
        nn.Linear(3, 4, bias=False),
        nn.Linear(3, 4),
        nn.Conv2d(2, 4, (3, 1), 2, (1, 0), 3, 2, bias=False, padding_mode="circular"),
        nn.Conv2d(2, 4, 3, padding="same"),
    ],
)
def test_the_constructor_arguments_of_a_layer_describe_its_shape(layer: WeightLayer) -> None:
    made = type(layer)(**constructor_arguments(layer))
    assert repr(made) == repr(layer)
    assert made.weight.device.type == "meta"


def test_a_copy_at_a_site_shares_all_other_modules() -> None:
    model = network()
    copied = copied_at(model, "b.2")
    assert copied is not model
    assert copied.get_submodule("b.2") is not model.get_submodule("b.2")
    assert copied.get_submodule("b") is not model.get_submodule("b")
    for name in ("a", "b.0", "b2"):
        assert copied.get_submodule(name) is model.get_submodule(name)
    with torch.no_grad():
        copied.get_submodule("b.2").weight.zero_()  # type: ignore[operator]
    copied.set_submodule("b.2", nn.Identity())
    assert isinstance(model.get_submodule("b.2"), nn.Linear)
    assert bool(model.get_submodule("b.2").weight.any())  # type: ignore[operator]


def test_a_copy_at_a_site_copies_it_under_all_its_names() -> None:
    mix = nn.Linear(2, 2)
    model = nn.ModuleDict({"mix": mix, "tail": nn.Sequential(mix), "other": nn.Linear(2, 2)})
    copied = copied_at(model, "mix")
    assert copied.get_submodule("mix") is copied.get_submodule("tail.0") is not mix
    assert copied.get_submodule("other") is model["other"]
