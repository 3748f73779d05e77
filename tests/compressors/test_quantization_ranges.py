import copy

import pytest
import torch
from torch import Tensor, nn

from compressors.quantization import Quantization
from nas.quantize import ActivationQuantizer, QuantizedLinear
from nas.seeds import seeded
from tests.compressors.quantization_networks import IMAGES, network, noise


def ranges(model: nn.Module) -> dict[str, tuple[float, float]]:
    """The ends of each range, by name."""
    found = (
        (name, module)
        for name, module in model.named_modules()
        if isinstance(module, ActivationQuantizer)
    )
    return {
        name.removeprefix("ranges."): (module.low.item(), module.high.item())
        for name, module in found
    }


def test_the_ranges_are_those_of_exactly_the_batch_given() -> None:
    model = network()
    before = copy.deepcopy(model.state_dict())
    floats = copy.deepcopy(model).eval()
    quantized = Quantization().apply(model, {"": 8}, IMAGES)
    found = ranges(quantized)
    assert list(found) == ["input_1", "b_1", "b_2", "head"]
    assert found["input_1"] == (IMAGES.min().item(), IMAGES.max().item())
    # After a ReLU the range begins at zero, and it is calibrated on the outputs of quantized
    # layers.
    inside = nn.Sequential(
        quantized.get_submodule("a"), floats.get_submodule("b.0"), nn.ReLU()
    ).eval()
    assert found["b_1"] == pytest.approx((0.0, inside(IMAGES).max().item()))
    # Calibration does not train.
    assert all(
        torch.equal(before[name], tensor)
        for name, tensor in quantized.state_dict().items()
        if name in before
    )
    again = ranges(Quantization().apply(network(), {"": 4}, 0.5 * IMAGES))
    assert again["input_1"] == (0.5 * IMAGES.min().item(), 0.5 * IMAGES.max().item())


def test_every_range_has_the_bits_of_the_activations() -> None:
    quantized = Quantization(activation_bits=5).apply(network(), {"": 4}, IMAGES)
    assert [
        module.bits for module in quantized.modules() if isinstance(module, ActivationQuantizer)
    ] == [5] * 4


def test_a_layer_that_is_used_twice_is_quantized_once_with_a_range_for_each_use() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            with seeded(0):
                self.mix = nn.Linear(4, 4)
            self.tail = nn.Sequential(self.mix)

        def forward(self, x: Tensor) -> Tensor:
            y: Tensor = self.tail(torch.relu(self.mix(x)))
            return y

    for site in ("mix", "tail"):
        model = Quantization().apply(Twice(), {site: 8}, noise(8, 4))
        layers = [module for module in model.modules() if isinstance(module, QuantizedLinear)]
        assert len(layers) == 1
        assert len(list(model.parameters())) == 2
        assert len(ranges(model)) == 3
