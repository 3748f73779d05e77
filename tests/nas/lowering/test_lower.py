import copy
import dataclasses

import pytest
import torch
from torch import nn
from torch.nn import functional

from compressors.quantization import Quantization
from nas.lowering import lower
from nas.program import Interpreter
from nas.program.operations import (
    Conv,
    Layer,
)
from nas.quantize import ActivationQuantizer, calibrate, insert_quantizers
from nas.quantize.calibrate import RangeEstimator, minmax, percentile, squared_error
from tests.nas.lowering.lowering_networks import IMAGES, NETWORKS, quantized, sequence
from tests.networks import Wired


@pytest.mark.parametrize("name", NETWORKS)
def test_the_operations_are_those_of_the_network(name: str) -> None:
    model, kinds = NETWORKS[name]
    assert (
        tuple(type(operation) for operation in lower(quantized(model), IMAGES).operations) == kinds
    )


def test_a_padding_keeps_the_quantizer_and_a_sum_shares_it() -> None:
    program = lower(quantized(NETWORKS["same padding"][0]), IMAGES)
    first, padded, *results = program.tensors
    assert padded == dataclasses.replace(first, shape=(4, 9, 9))
    assert [tensor.shape for tensor in results] == [
        (5, 4, 4),
        (5, 2, 3),
        (5, 4, 4),
        (5, 4, 4),
        (80,),
    ]
    assert len({(tensor.scale, tensor.zero) for tensor in results}) == 1
    said = functional.pad(IMAGES, (0, 1, 0, 1), "constant", 0.0)
    again = Wired(
        lambda net, x: net["flat"](functional.pad(x, (0, 1, 0, 1), "constant", 0.0)),
        flat=nn.Flatten(),
    )
    found = Interpreter(lower(again, IMAGES))(IMAGES).view_as(said)
    assert (found - said).abs().max() <= first.scale / 2 * 1.01
    assert (found[:, :, 8] == 0).all()
    assert (found[:, :, :, 8] == 0).all()


def test_clamps_are_fused() -> None:
    program = lower(quantized(sequence(nn.Conv2d(4, 5, 3), nn.ReLU6())), 20.0 * IMAGES)
    layer, result = program.operations[0], program.tensors[1]
    assert isinstance(layer, Conv)
    assert layer.scaling.low == result.zero == 0
    wide = insert_quantizers(sequence(nn.Conv2d(4, 5, 3), nn.ReLU6()), 8)
    for module in wide.modules():
        if isinstance(module, ActivationQuantizer):
            module.low.fill_(-3.0)
            module.high.fill_(9.0)
    program = lower(wide, IMAGES)
    layer, result = program.operations[0], program.tensors[1]
    assert isinstance(layer, Conv)
    assert (layer.scaling.low, layer.scaling.high) == (
        result.zero,
        result.zero + round(6.0 / result.scale),
    )
    said = Interpreter(program)(100.0 * IMAGES)
    assert said.min() == 0.0
    assert said.max() == pytest.approx(6.0, abs=result.scale)


@pytest.mark.parametrize("method", [minmax, percentile, squared_error])
@pytest.mark.parametrize("name", ["folded", "folded linear", "residual", "joined", "gate", "SiLU"])
def test_a_float_network_is_calibrated(name: str, method: RangeEstimator) -> None:
    model = copy.deepcopy(NETWORKS[name][0]).eval()
    before = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    program = lower(model, IMAGES, method)
    with torch.no_grad():
        said = model(IMAGES)
    error = (Interpreter(program)(IMAGES) - said).square().mean() / said.var()
    assert error < 0.01
    assert all(torch.equal(before[key], tensor) for key, tensor in model.state_dict().items())
    layers = [operation for operation in program.operations if isinstance(operation, Layer)]
    assert {layer.weights.bits for layer in layers} == {8}


def test_the_bits_of_layers_and_tensors_are_those_that_were_trained() -> None:
    model = Quantization(activation_bits=5).apply(
        copy.deepcopy(NETWORKS["folded"][0]), {"0": 3, "3": 6}, IMAGES
    )
    program = lower(model, IMAGES)
    layers = [operation for operation in program.operations if isinstance(operation, Conv)]
    assert [layer.weights.bits for layer in layers] == [3, 6]
    assert {tensor.bits for tensor in program.tensors} == {5}
    assert [operation.name for operation in program.operations] == ["0", "3", "4"]


def test_calibrating_does_not_undo_what_was_trained() -> None:
    model = quantized(NETWORKS["folded"][0])
    calibrate(model, 3.0 * IMAGES)
    program = lower(model, IMAGES)
    assert program.tensors[0].scale == pytest.approx(3.0 * float(IMAGES.max() - IMAGES.min()) / 255)
