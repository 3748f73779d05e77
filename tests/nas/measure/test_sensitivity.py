import copy

import pytest
import torch
from torch import Tensor, nn

from compressors.quantization import Quantization, quantize
from compressors.sharing import share
from nas.data import Split
from nas.layers import forward_hooks
from nas.lowering import lower_all_channels
from nas.measure.divergence import divergence, log_probabilities
from nas.measure.sensitivity import MATCHED_ON, bit_widths, matched_inputs, sensitivity
from nas.packed import pack
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


def made(model: nn.Module, name: str) -> Tensor:
    """What a layer gives, [N, channels]."""
    seen = list[Tensor]()

    def see(_: nn.Module, __: object, output: Tensor) -> None:
        seen.append(output)

    with torch.no_grad(), forward_hooks([(model.get_submodule(name), see)]):
        model(matched_inputs(INPUTS))
    return seen[0]


def alone(model: nn.Module, name: str, bits: int) -> nn.Module:
    """The network with one quantized layer, whose channels have the means and spreads they had."""
    changed = copy.deepcopy(model)
    layer = changed.get_submodule(name)
    assert isinstance(layer, nn.Linear)
    quantized = quantized_layer(layer, bits)
    before = made(model, name)
    changed.set_submodule(name, quantized)
    after = made(changed, name)
    ratio = before.std(0, correction=0) / after.std(0, correction=0)
    with torch.no_grad():
        quantized.rescale(ratio)
        shift = before.mean(0) - after.mean(0) * ratio
        if layer.bias is not None:
            shift += layer.bias * ratio
        quantized.bias = nn.Parameter(shift)
    return changed


def test_each_layer_is_measured_alone_with_the_means_and_spreads_of_its_channels() -> None:
    model = network()
    table = sensitivity(model, split(model), (1, 2, 8))
    assert list(table) == ["0", "2", "4"]
    wanted = log_probabilities(model, INPUTS)
    for name, row in table.items():
        assert list(row) == [1, 2, 8]
        for bits, found in row.items():
            changed = alone(model, name, bits)
            assert found.accuracy == pytest.approx(accuracy(changed, split(model)), abs=0.003)
            reached = divergence(wanted, log_probabilities(changed, INPUTS))
            assert found.divergence == pytest.approx(reached, rel=1e-3, abs=1e-6)


def test_bytes_are_those_of_the_coded_weights() -> None:
    model = network()
    table = sensitivity(model, split(model), (1, 2, 4, 8))
    for name, row in table.items():
        sizes = [found.size_bytes for found in row.values()]
        assert sizes == sorted(sizes)
        layer = model.get_submodule(name)
        assert isinstance(layer, nn.Linear)
        assert sizes[0] == layer.weight.numel() // 8
    # Signs are signs at any number of bits.
    assert table["2"][8].size_bytes < table["0"][8].size_bytes * 16 / 8
    others = {"0": 8, "4": 8}
    lengths = [
        len(pack(lower_all_channels(quantize(model, {**others, "2": bits}, INPUTS), INPUTS)))
        for bits in (1, 8)
    ]
    saved = table["2"][8].size_bytes - table["2"][1].size_bytes
    assert lengths[1] - lengths[0] == pytest.approx(saved, abs=16)


def test_a_layer_that_loses_nothing_costs_nothing_and_fewer_bits_cost_more() -> None:
    model = network()
    table = sensitivity(model, split(model), (1, 2, 4, 8))
    assert {found.accuracy for found in table["2"].values()} == {1.0}
    assert all(found.divergence < 1e-9 for found in table["2"].values())
    for name in ("0", "4"):
        accuracies = [found.accuracy for found in table[name].values()]
        assert accuracies[0] < 0.9
        assert accuracies[0] < accuracies[2] <= accuracies[3]
        assert accuracies[3] > 0.97
        divergences = [found.divergence for found in table[name].values()]
        assert divergences == sorted(divergences, reverse=True)
        assert divergences[3] > 0


def test_the_last_inputs_are_not_matched_by_themselves() -> None:
    model = network()
    few, more = (
        sensitivity(model, Split(INPUTS[:count], split(model).labels[:count]), (2,))
        for count in (MATCHED_ON, MATCHED_ON + 1)
    )
    for name in ("0", "4"):
        assert few[name][2].divergence == pytest.approx(more[name][2].divergence, rel=0.05)


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
    for row in table.values():
        # With the bits that it has, the network is what it is.
        assert (row[8].divergence, row[8].accuracy) == (0.0, accuracy(quantized, split(model)))
    assert table["0"][1].accuracy < 0.9
    assert table["0"][1].divergence > 0.01


def test_the_bits_of_a_layer_stay_with_their_scales() -> None:
    model = network()
    quantized = quantize(model, 2, INPUTS, Quantization(weights="mse"))
    row = sensitivity(quantized, split(model), (2, 8))["0"]
    assert row[2].divergence == 0.0
    assert row[8].divergence > 0.0


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
    assert table["mix"][1].size_bytes == 8
    assert table["mix"][8].accuracy > 0.95
    assert table["mix"][1].divergence > table["mix"][8].divergence > 0


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
