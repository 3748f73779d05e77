import pytest
import torch
from torch import nn

from compressors.quantization import Quantization, quantize
from nas.quantize import ActivationQuantizer
from nas.quantize.coverage import calibration_coverage

INPUTS = torch.linspace(-1, 1, 101)[:, None].expand(101, 4)


def network(method: Quantization | None = None) -> nn.Module:
    torch.manual_seed(0)
    return quantize(nn.Sequential(nn.Linear(4, 3)), 8, INPUTS, method)


def test_inputs_that_were_calibrated_on_are_covered() -> None:
    assert calibration_coverage(network(), INPUTS) == 1.0


def test_the_tensor_that_is_covered_least_decides() -> None:
    assert calibration_coverage(network(), 2 * INPUTS) == pytest.approx(0.5, abs=0.02)
    model = network()
    last = [module for module in model.modules() if isinstance(module, ActivationQuantizer)][-1]
    last.set_ends(0.0, 1e-6)
    assert calibration_coverage(model, INPUTS) < 0.9


def test_what_a_relu_cuts_is_not_outside() -> None:
    torch.manual_seed(0)
    rectified = quantize(nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2)), 8, INPUTS)
    assert calibration_coverage(rectified, INPUTS) == 1.0


def test_a_network_without_quantizers_is_covered_and_inputs_stay() -> None:
    inputs = INPUTS.clone()
    assert calibration_coverage(nn.Sequential(nn.ReLU(inplace=True)), inputs) == 1.0
    assert torch.equal(inputs, INPUTS)
