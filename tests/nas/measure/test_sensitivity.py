import copy

import pytest
import torch
from torch import Tensor, nn

from compressors.quantization import quantize
from compressors.sharing import share
from nas.data import Split
from nas.measure.sensitivity import bit_widths, sensitivity
from nas.quantize import quantized_layer
from nas.seeds import seeded
from nas.training.fit import accuracy

INPUTS = torch.randn(400, 8, generator=torch.Generator().manual_seed(0))


def network() -> nn.Sequential:
    """A layer whose weights are signs, which any number of bits holds, between two that need more."""
    with seeded(0):
        model = nn.Sequential(
            nn.Linear(8, 16),
            nn.ReLU(),
            nn.Linear(16, 16, bias=False),
            nn.ReLU(),
            nn.Linear(16, 6, bias=False),
        )
    middle = model[2]
    assert isinstance(middle, nn.Linear)
    with torch.no_grad():
        middle.weight.copy_(middle.weight.sign())
    return model.eval()


def split(model: nn.Module) -> Split:
    """Labelled by the network itself, which so has an accuracy of 1."""
    with torch.no_grad():
        return Split(INPUTS, model(INPUTS).argmax(1))


def test_each_accuracy_is_that_with_one_quantized_layer() -> None:
    model = network()
    table = sensitivity(model, split(model), (1, 2, 8))
    assert list(table) == ["0", "2", "4"]
    for name, row in table.items():
        assert list(row) == [1, 2, 8]
        for bits, found in row.items():
            alone = copy.deepcopy(model)
            layer = alone.get_submodule(name)
            assert isinstance(layer, nn.Linear)
            alone.set_submodule(name, quantized_layer(layer, bits))
            assert found == accuracy(alone, split(model))


def test_a_layer_that_loses_nothing_costs_nothing_and_fewer_bits_cost_more() -> None:
    model = network()
    table = sensitivity(model, split(model), (1, 2, 4, 8))
    assert set(table["2"].values()) == {1.0}
    for name in ("0", "4"):
        assert table[name][1] < 0.9
        assert table[name][1] < table[name][4] <= table[name][8]
        assert table[name][8] > 0.97


def test_the_network_is_unchanged() -> None:
    model = network().train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    sensitivity(model, split(model), (2,))
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert [type(module) for module in model] == [nn.Linear, nn.ReLU, nn.Linear, nn.ReLU, nn.Linear]


def test_a_quantized_network_is_measured_around_each_layer() -> None:
    model = network()
    quantized = quantize(model, 8, INPUTS)
    table = sensitivity(quantized, split(model), (1, 8))
    assert list(table) == ["0", "2", "4"]
    assert table["0"][8] == accuracy(quantized, split(model))
    assert table["0"][1] < 0.9


def test_a_layer_that_is_used_twice_has_one_row() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            with seeded(0):
                self.mix = nn.Linear(8, 8)
            self.tail = nn.Sequential(self.mix)

        def forward(self, x: Tensor) -> Tensor:
            y: Tensor = self.tail(torch.relu(self.mix(x)))
            return y

    model = Twice().eval()
    table = sensitivity(model, split(model), (1, 8))
    assert list(table) == ["mix"]
    both = copy.deepcopy(model)
    quantized = quantized_layer(both.mix, 1)
    both.add_module("mix", quantized)
    both.tail[0] = quantized
    assert table["mix"][1] == accuracy(both, split(model))


def test_shared_weights_are_left_out() -> None:
    model = share(network(), {"0": 16})
    assert list(sensitivity(model, split(model), (8,))) == ["2", "4"]


@pytest.mark.parametrize("bits", [(), (0,), (4, 9)])
def test_other_bits_are_refused(bits: tuple[int, ...]) -> None:
    model = network()
    with pytest.raises(ValueError, match=r"bits must be one or more of \(1, .*8\), but got \("):
        sensitivity(model, split(model), bits)


def test_the_bits_of_quantized_layers_are_listed() -> None:
    assert bit_widths(network()) == {}
    assert bit_widths(quantize(network(), {"": 4, "2": 1}, INPUTS)) == {"0": 4, "2": 1, "4": 4}
    assert bit_widths(quantize(share(network(), {"0": 16}), 8, INPUTS)) == {"2": 8, "4": 8}
