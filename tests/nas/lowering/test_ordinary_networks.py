"""What ordinary networks consist of, in every reader of programs."""

import copy
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from compressors.post_training import PostTraining
from compressors.quantization import Quantization
from nas.lowering import lower, snapped
from nas.measure.host import run_onnx
from nas.onnx import float_to_onnx, to_onnx
from nas.packed import flash_bytes, pack, unpack
from nas.program import Interpreter, Program
from nas.tracing import independent_copy
from tests.nas.lowering.ordinary_networks import ORDINARY
from tests.nas.lowering.signal_networks import SIGNAL_NETWORKS

# torch says that it may copy the input for even kernels.
pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")

IMAGES = torch.randn(64, 3, 9, 9, generator=torch.Generator().manual_seed(0))
NETWORKS = {
    **{name: (*case, IMAGES) for name, case in ORDINARY.items()},
    **{name: (*case, IMAGES[:, :, 0].repeat(1, 1, 2)) for name, case in SIGNAL_NETWORKS.items()},
}


@pytest.fixture(params=NETWORKS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def quantized(model: nn.Module, bits: int, inputs: Tensor) -> nn.Module:
    return snapped(Quantization().apply(independent_copy(model), {"": bits}, inputs)).eval()


@pytest.mark.parametrize("bits", [4, 8])
def test_every_reader_computes_what_the_network_does(
    name: str, bits: int, assert_same: Callable[[Program, Program], None]
) -> None:
    model, kinds, inputs = NETWORKS[name]
    trained = quantized(model, bits, inputs)
    program = lower(trained, inputs)
    assert tuple(type(operation) for operation in program.operations) == kinds
    assert program.tensors[0].shape == inputs.shape[1:]
    scale = program.tensors[-1].scale
    with torch.no_grad():
        said = trained(inputs) / scale
    found = Interpreter(program)(inputs) / scale
    assert (found - said).abs().max() <= 1.01
    # Sums of halves round up in programs, and either way in floats.
    assert ((found - said).abs() < 0.5).float().mean() >= 0.997
    packed = pack(program)
    assert_same(unpack(packed), program)
    assert len(packed) <= flash_bytes(program)
    written = run_onnx(to_onnx(program), inputs.numpy())
    np.testing.assert_array_equal(written, Interpreter(program)(inputs).numpy())


def test_the_float_export_computes_what_the_network_does(name: str) -> None:
    network, _, inputs = NETWORKS[name]
    model = copy.deepcopy(network).eval()
    with torch.no_grad():
        said = model(inputs)
    found = torch.from_numpy(run_onnx(float_to_onnx(model, inputs), inputs.numpy()))
    if "oftmax" in name:  # which is left out
        found = found.softmax(1) if name == "Softmax" else found.log_softmax(1)
    torch.testing.assert_close(found, said, rtol=1e-4, atol=1e-5)


def test_training_goes_through(name: str) -> None:
    network, _, inputs = NETWORKS[name]
    model = quantized(network, 4, inputs).train()
    model(inputs[:8]).square().mean().backward()
    gradients = [parameter.grad for parameter in model.parameters()]
    assert any(each is not None and bool(each.any()) for each in gradients)


def test_equalized_networks_say_the_same(name: str) -> None:
    network, _, inputs = NETWORKS[name]
    model = PostTraining().apply(copy.deepcopy(network).eval(), {"": 8}, inputs)
    program = lower(snapped(model), inputs)
    with torch.no_grad():
        said = model(inputs)
    found = Interpreter(program)(inputs)
    assert (found - said).abs().max() <= 1.01 * program.tensors[-1].scale
