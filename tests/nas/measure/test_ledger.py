from collections.abc import Callable
from operator import attrgetter
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from compressors.pruning import ChannelPruning
from compressors.quantization import Quantization
from nas.measure import Entry, costs, ledger, operations

IMAGE, TABLE = torch.ones(2, 1, 5, 5), torch.ones(2, 4)


class Net(nn.Module):
    """Layers by name, and what becomes of an input."""

    def __init__(self, run: Callable[["Net", Tensor], Tensor], **parts: nn.Module | nn.Parameter) -> None:
        super().__init__()
        self.run = run
        for name, part in parts.items():
            setattr(self, name, part)

    def __getitem__(self, name: str) -> Callable[..., Tensor]:
        return self.get_submodule(name)

    def tensor(self, name: str) -> Any:
        return attrgetter(name)(self)

    def forward(self, x: Tensor) -> Tensor:
        return self.run(self, x)


def book(model: nn.Module, inputs: Tensor) -> tuple[Entry, ...]:
    return ledger(model, operations(model, inputs))


def weights(model: nn.Module, inputs: Tensor) -> list[tuple[str, str, int]]:
    """The entries that are neither header nor structure."""
    entries = [entry for entry in book(model, inputs) if entry.purpose not in ("header", "structure")]
    return [(entry.layer, entry.purpose, entry.bytes) for entry in entries]


def chain() -> nn.Sequential:
    model = nn.Sequential()
    model.add_module("conv", nn.Sequential(nn.Conv2d(1, 2, 3, bias=False), nn.BatchNorm2d(2), nn.ReLU()))
    model.add_module("flatten", nn.Flatten())
    model.add_module("head", nn.Linear(18, 3))
    return model


def test_a_float_network_by_hand() -> None:
    assert book(chain(), IMAGE) == (
        Entry("", "header", 16),
        Entry("conv.0", "structure", 16),
        Entry("conv.0", "weight", 18 * 4),
        Entry("conv.1", "bias", 2 * 4),
        Entry("head", "structure", 16),
        Entry("head", "weight", 54 * 4),
        Entry("head", "bias", 3 * 4),
    )


def test_a_quantised_network_by_hand_rounds_up_to_whole_bytes() -> None:
    model = nn.Sequential(nn.Conv2d(1, 1, 3, bias=False), nn.BatchNorm2d(1), nn.ReLU(), nn.Flatten(), nn.Linear(9, 3))
    quantized = Quantization().apply(model, {"0": 4, "4": 3}, IMAGE)
    assert weights(quantized, IMAGE) == [
        ("0", "weights", 5),  # 9 of 4 bits are 36
        ("0", "scales", 4),
        ("0", "biases", 4),
        ("0", "activation range", 5),
        ("4", "weights", 11),  # 27 of 3 bits are 81
        ("4", "scales", 12),
        ("4", "biases", 12),
        ("4", "activation range", 5),
    ]
    assert sum(entry.bytes for entry in book(quantized, IMAGE)) == 16 + 2 * 16 + 18 + 40


def test_a_layer_that_is_used_twice_is_stored_once() -> None:
    shared = nn.Linear(4, 4)
    model = nn.Sequential(shared, nn.ReLU(), shared)
    assert weights(model, TABLE) == [("0", "weight", 64), ("0", "bias", 16)]
    assert sum(entry.purpose == "structure" for entry in book(model, TABLE)) == 2
    quantized = Quantization().apply(nn.Sequential(shared, nn.ReLU(), shared), {"0": 8}, TABLE)
    assert [count for _, _, count in weights(quantized, TABLE)] == [16, 16, 16, 5]


def test_parameters_and_buffers_outside_of_layers_are_stored() -> None:
    model = Net(lambda net, x: x @ net.tensor("mix") + net.tensor("shift"), mix=nn.Parameter(torch.ones(4, 3)))
    model.register_buffer("shift", torch.zeros(3))
    assert weights(model, TABLE) == [("", "mix", 48), ("", "shift", 12)]


def test_weights_that_a_function_uses_are_stored_whatever_the_names() -> None:
    def called(net: Net, x: Tensor) -> Tensor:
        return net["add"](x + x)

    def borrowed(net: Net, x: Tensor) -> Tensor:
        return functional.linear(x, net.tensor("linear.weight"))

    assert weights(Net(called, add=nn.Linear(4, 4)), TABLE) == [("add", "weight", 64), ("add", "bias", 16)]
    assert weights(Net(borrowed, linear=nn.Linear(4, 4, bias=False)), TABLE) == [("linear", "weight", 64)]


def test_a_layer_that_is_never_used_is_stored_all_the_same() -> None:
    model = Net(lambda net, x: net["a"](x), a=nn.Linear(4, 2), b=nn.Linear(4, 3))
    assert weights(model, TABLE)[2:] == [("b", "weight", 48), ("b", "bias", 12)]


def test_the_parts_of_a_layer_of_torch_are_stored() -> None:
    attention = Net(lambda net, x: net["mix"](x, x, x)[0], mix=nn.MultiheadAttention(4, 2))
    assert sum(count for _, _, count in weights(attention, TABLE)) == 4 * sum(part.numel() for part in attention.parameters())


def test_an_operation_in_place_on_another_has_no_record_of_its_own() -> None:
    def records(model: nn.Module) -> list[str]:
        return [entry.layer for entry in book(model, TABLE) if entry.purpose == "structure"]

    linear = nn.Linear(4, 4)
    assert records(nn.Sequential(linear, nn.ReLU(), nn.Sigmoid())) == ["0"]
    assert records(nn.Sequential(linear, nn.Softmax(1))) == ["0", "1"]
    assert records(Net(lambda net, x: x + net["a"](x), a=linear)) == ["a", "add()"]


@pytest.mark.parametrize("bits", range(2, 9))
@pytest.mark.parametrize("ratio", [0.0, 0.5])
def test_the_entries_add_up_to_the_size(bits: int, ratio: float) -> None:
    model = ChannelPruning().apply(chain(), {"conv": ratio}, IMAGE)
    model = Quantization().apply(model, {"": bits}, IMAGE)
    entries = book(model, IMAGE)
    channels = 2 - int(2 * ratio)
    expected = 16 + 2 * 16 + 2 * 5 + 8 * (channels + 3) + -(-9 * channels * bits // 8) + -(-27 * channels * bits // 8)
    assert sum(entry.bytes for entry in entries) == costs(model, IMAGE)["size_bytes"] == expected
    assert all(entry.bytes > 0 for entry in entries)
