"""In-place operations: what reads a tensor later gets what they left there."""

import operator
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from nas.tracing import UnsupportedError, outputs, trace

INPUTS = torch.randn(6, 3, 5, 5, generator=torch.Generator().manual_seed(0))


Body = Callable[[Any, Tensor], Any]


class Network(nn.Module):
    """A convolution whose result `between` reads and may change, before another convolution."""

    def __init__(self, between: Body) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.stem, self.conv = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 1)
        self.relu, self.plain = nn.ReLU(inplace=True), nn.ReLU()
        self.swish, self.drop = nn.Hardswish(inplace=True), nn.Dropout(0.5, inplace=True)
        self.identity, self.flat = nn.Identity(), nn.Flatten()
        self.between = between

    def forward(self, x: Tensor) -> Any:
        return self.between(self, self.stem(x))


def relu_on_a_shortcut(net: Any, x: Tensor) -> Any:
    shortcut = x
    return net.conv(net.relu(x)) + shortcut


def relu_seen_through_an_identity(net: Any, x: Tensor) -> Any:
    shortcut = net.drop(net.identity(x))
    return net.conv(net.relu(x)) + shortcut


def relu_behind_an_identity(net: Any, x: Tensor) -> Any:
    return net.conv(net.relu(net.identity(x))) + x


def two_after_each_other(net: Any, x: Tensor) -> Any:
    return net.conv(net.swish(net.relu(x))) + x


def one_module_twice(net: Any, x: Tensor) -> Any:
    y = net.conv(net.relu(x))
    return net.conv(net.relu(y)) + x + y


def read_before_only(net: Any, x: Tensor) -> Any:
    y = net.conv(x)
    return net.relu(x) + y


def an_unused_result(net: Any, x: Tensor) -> Any:
    net.relu(x)
    return net.conv(x)


def added_in_place(net: Any, x: Tensor) -> Any:
    shortcut = x
    x += net.conv(x)
    return net.conv(shortcut) + x


def multiplied_in_place(net: Any, x: Tensor) -> Any:
    shortcut = x
    x *= net.conv(x)
    return net.conv(shortcut)


def method_in_place(net: Any, x: Tensor) -> Any:
    x.relu_()
    return net.conv(x)


def method_adds_in_place(net: Any, x: Tensor) -> Any:
    y = x.add_(net.conv(x))
    return y + x


def function_in_place(net: Any, x: Tensor) -> Any:
    functional.relu(x, inplace=True)
    return net.conv(x)


def flag_in_its_place(net: Any, x: Tensor) -> Any:
    functional.relu(x, True)
    return net.conv(x)


def function_with_an_underscore(net: Any, x: Tensor) -> Any:
    torch.relu_(x)
    return net.conv(x)


def operator_in_place(net: Any, x: Tensor) -> Any:
    add: Any = operator.iadd
    add(x, net.conv(x))
    return x


def dropped_functionally(net: Any, x: Tensor) -> Any:
    shortcut = functional.dropout(x, 0.5, net.training)
    return net.relu(x) + shortcut


EXACT = [
    *(relu_on_a_shortcut, relu_seen_through_an_identity, relu_behind_an_identity),
    *(two_after_each_other, one_module_twice, read_before_only, an_unused_result),
    *(added_in_place, multiplied_in_place, method_in_place, method_adds_in_place),
    *(function_in_place, flag_in_its_place, function_with_an_underscore, operator_in_place),
    dropped_functionally,
]


@pytest.mark.parametrize("between", EXACT)
def test_readers_get_what_an_operation_left(between: Body) -> None:
    model = Network(between)
    traced = trace(model, INPUTS)
    torch.testing.assert_close(outputs(traced, INPUTS), outputs(model, INPUTS))
    assert not any(getattr(module, "inplace", False) for module in traced.modules())
    assert model.relu.inplace  # the network itself is left as it is


def view_read_later(net: Any, x: Tensor) -> Any:
    flat = net.flat(x)
    net.relu(x)
    return flat


def whole_read_after_a_view_changed(net: Any, x: Tensor) -> Any:
    net.relu(x.view(6, -1))
    return net.conv(x)


def part_read_later(net: Any, x: Tensor) -> Any:
    first, second = x.chunk(2, 1)
    net.relu(x)
    return first + second


@pytest.mark.parametrize(
    "between", [view_read_later, whole_read_after_a_view_changed, part_read_later]
)
def test_views_of_what_was_changed_are_refused(
    between: Body,
) -> None:
    with pytest.raises(UnsupportedError, match=r"after 'relu'; use inplace=False there"):
        trace(Network(between))


def test_the_input_is_left_as_it_is() -> None:
    model = nn.Sequential(nn.ReLU(inplace=True), nn.Conv2d(3, 2, 1))
    inputs = INPUTS.clone()
    wanted = model(INPUTS.clone())
    torch.testing.assert_close(trace(model, inputs)(inputs), wanted)
    assert torch.equal(inputs, INPUTS)
