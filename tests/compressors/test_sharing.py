import copy

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from compressors.quantization import Quantization
from compressors.sharing import Sharing, share
from nas.lowering import lower
from nas.onnx.floating import float_to_onnx
from nas.packed import flash_bytes, pack
from nas.quantize import SharedConv2d, SharedLinear
from nas.space import Choice, Choices, Design
from nas.testing.compressor import check_compressor
from tests.compressors.sharing_networks import IMAGES, LAYERS, network, noise, train


def weights(model: nn.Module) -> list[Tensor]:
    """The rounded weights of each layer."""
    layers = [
        module for module in model.modules() if isinstance(module, (SharedConv2d, SharedLinear))
    ]
    return [layer.codebook().detach() for layer in layers]


@pytest.mark.parametrize("entries", [2, 16, 256])
def test_each_layer_has_so_many_different_weights(entries: int) -> None:
    shared = share(network(), entries)
    assert [
        name
        for name, module in shared.named_modules()
        if isinstance(module, (SharedConv2d, SharedLinear))
    ] == LAYERS
    for name in LAYERS:
        layer = shared.get_submodule(name)
        assert isinstance(layer, (SharedConv2d, SharedLinear))
        assert layer.codebook.values.shape == (entries,)
        assert len(torch.unique(layer.weight)) == min(
            entries, len(network().get_parameter(f"{name}.weight").flatten())
        )


def test_the_function_is_nearly_kept_by_many_entries() -> None:
    expected = network().eval()(IMAGES)
    errors = [
        ((share(network(), entries).eval()(IMAGES) - expected).norm() / expected.norm()).item()
        for entries in (4, 16, 256)
    ]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 0.02


def test_the_gradient_of_a_value_is_the_sum_of_its_weights_gradients() -> None:
    layer = share(nn.Sequential(nn.Linear(6, 4)), 3)[0]  # type: ignore[index]
    assert isinstance(layer, SharedLinear)
    weight = layer.codebook().detach().requires_grad_()
    inputs, upstream = noise(5, 6), noise(5, 4, seed=1)
    layer(inputs).backward(upstream)
    nn.functional.linear(inputs, weight, layer.bias).backward(upstream)  # type: ignore[no-untyped-call]
    assert weight.grad is not None
    assert layer.codebook.values.grad is not None
    for entry in range(3):
        members = layer.codebook.assignments.view(4, 6) == entry
        assert members.any()
        assert layer.codebook.values.grad[entry].item() == pytest.approx(
            weight.grad[members].sum().item(), rel=1e-5
        )


def test_zeros_stay_zero_and_clusters_stay_clusters_through_training() -> None:
    model = network()
    with torch.no_grad():
        for name in LAYERS:
            weight = model.get_parameter(f"{name}.weight")
            weight[noise(*weight.shape) < 0.5] = 0.0
    shared = share(model, 4)
    before = weights(shared)
    zeros = [weight == 0 for weight in before]
    assert all(((found == 0) == zero).all() for found, zero in zip(before, zeros, strict=True))
    quantized = train(Quantization().apply(shared, {"": 4}, IMAGES))
    after = weights(quantized)
    for old, new, zero in zip(before, after, zeros, strict=True):
        assert torch.equal(new == 0, zero) or len(torch.unique(new)) < len(torch.unique(old))
        assert (new[zero] == 0).all()
        assert not torch.equal(old, new)
        assert len(torch.unique(new)) <= 4
        # Weights with the same value still have one.
        for value in torch.unique(old):
            assert len(torch.unique(new[old == value])) == 1


class Space:
    choices = Choices(
        [
            Choice("a", "codebook_size", (0, 2, 16)),
            Choice("b", "codebook_size", (4, 256)),
            Choice("b", "bits", (3, 8)),
        ]
    )

    def build(self, design: Design, example: Tensor, classes: int) -> nn.Module:
        model = nn.Sequential()
        model.add_module(
            "a", nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten())
        )
        model.add_module("b", nn.Linear(144, classes))
        return model


def test_the_contract_is_kept() -> None:
    check_compressor(Sharing(), Space(), torch.rand(16, 1, 8, 8), 3, np.random.default_rng(0))
    check_compressor(Quantization(), Space(), torch.rand(16, 1, 8, 8), 3, np.random.default_rng(0))


def test_an_inner_site_decides_and_0_shares_nothing() -> None:
    shared = share(network(), {"": 4, "3": 0, "7": 8})
    assert type(shared.get_submodule("3")) is nn.Conv2d
    sizes = [
        len(layer.codebook.values)
        for layer in shared.modules()
        if isinstance(layer, (SharedConv2d, SharedLinear))
    ]
    assert sizes == [4, 8, 4]


def test_layers_of_zeros_are_finite() -> None:
    model = nn.Sequential(nn.Linear(4, 3))
    nn.init.zeros_(model.get_parameter("0.weight"))
    shared = share(model, 4)
    assert (weights(shared)[0] == 0).all()
    assert shared(noise(2, 4)).isfinite().all()
    program = lower(shared, noise(2, 4))
    assert len(pack(program)) <= flash_bytes(program)


def test_the_given_network_is_left_alone() -> None:
    model = network()
    before = copy.deepcopy(model.state_dict())
    share(model, 4)
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


def test_the_network_in_floats_is_exported_with_its_weights_written_out() -> None:
    shared = share(network(), 16).eval()
    model = float_to_onnx(shared, IMAGES)
    assert {tuple(tensor.dims) for tensor in model.graph.initializer} >= {
        (8, 2, 3, 3),
        (16, 32),
        (5, 16),
    }
