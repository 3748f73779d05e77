import copy

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from compressors import (
    Quantization,
    quantize,
    quantize_trained,
    reconstruct,
    sparsify,
)
from compressors.segments import segments
from nas.layers import WeightLayer, named_layers
from nas.lowering import lower, snapped
from nas.packed import pack, unpack
from nas.program import Layer, logits
from nas.quantize import IntegerLayer, equalized, integer_layer
from nas.quantize.weight_quantizers import WeightMethod
from nas.seeds import seeded


class Residual(nn.Module):
    """A block with a shortcut, as `segments` must keep together."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.norm = nn.Conv2d(4, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4)
        self.relu, self.second, self.last = nn.ReLU(), nn.Conv2d(4, 4, 1), nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        inner = self.second(self.relu(self.norm(self.first(x))))
        result: Tensor = self.last(inner + x)
        return result


def network() -> nn.Module:
    with seeded(0):
        model = nn.Sequential()
        model.add_module("stem", nn.Conv2d(1, 4, 3, bias=False))
        model.add_module("norm", nn.BatchNorm2d(4))
        model.add_module("relu", nn.ReLU())
        model.add_module("block", Residual())
        model.add_module("pool", nn.AvgPool2d(2))
        model.add_module("flatten", nn.Flatten())
        model.add_module("head", nn.Linear(36, 5))
        nn.init.normal_(model.get_parameter("head.weight"))
        for _ in range(20):
            model(torch.rand(64, 1, 8, 8))  # running statistics that are not those of the start
    return model.eval()


IMAGES = torch.rand(256, 1, 8, 8, generator=torch.Generator().manual_seed(1))
OTHERS = torch.rand(128, 1, 8, 8, generator=torch.Generator().manual_seed(2))


def reconstructed(
    quantized: nn.Module, floating: nn.Module, seed: int = 0, steps: int = 120
) -> nn.Module:
    shuffle = torch.Generator().manual_seed(seed)
    return reconstruct(quantized, floating, IMAGES, generator=shuffle, steps=steps)


def error(quantized: nn.Module, floating: nn.Module, images: Tensor = OTHERS) -> float:
    """The mean squared error of log-probabilities, on images that nothing was learned from."""
    with torch.no_grad():
        given, wanted = (model.eval()(images).log_softmax(1) for model in (quantized, floating))
    return float((given - wanted).square().mean())


def divergence(quantized: nn.Module, floating: nn.Module) -> float:
    with torch.no_grad():
        given, wanted = (
            (model.eval()(IMAGES) / 4).log_softmax(1).double() for model in (quantized, floating)
        )
    return float((wanted.exp() * (wanted - given)).sum(1).mean())


@pytest.mark.parametrize("weights", ["max", "lsq", "affine", "mse", "affine_mse"])
@pytest.mark.parametrize("bits", [1, 2, 3])
def test_outputs_come_closer_and_the_file_says_what_was_learned(
    bits: int, weights: WeightMethod
) -> None:
    model = network()
    quantized = quantize(model, bits, IMAGES, Quantization(weights=weights))
    found = reconstructed(quantized, model)
    statistics = reconstructed(quantized, model, steps=0)
    assert error(statistics, model) < error(quantized, model)
    assert error(found, model) < error(quantized, model)
    # On the images that it learns from: 256 of noise are too few to tell much about others.
    before, after = divergence(statistics, model), divergence(found, model)
    assert after <= before
    # Steps of the largest magnitude move with one weight, which may leave nothing to learn.
    assert after < before or weights == "max"

    learned = [layer.levels()[0] for layer in _layers(found)]
    program = lower(snapped(found), IMAGES)
    loaded = unpack(pack(program))
    kept = [op.weights.levels for op in loaded.operations if isinstance(op, Layer)]
    for levels, ours in zip(kept, learned, strict=True):
        # Lowering turns channels with negative gains round.
        assert np.array_equal(np.abs(levels), ours.abs().numpy())
    with torch.no_grad():
        said = found(OTHERS).numpy()
    off = np.abs(logits(loaded, OTHERS) - said) / program.tensors[-1].scale
    assert (off < 0.01).mean() > 0.99


def _layers(model: nn.Module) -> list[IntegerLayer]:
    names = ("stem", "block.first", "block.second", "head")
    return [
        integer_layer(layer)
        for name in names
        if isinstance(layer := model.get_submodule(name), WeightLayer)
    ]


def test_no_level_changes_without_steps() -> None:
    model = network()
    quantized = quantize(model, 2, IMAGES)
    found = reconstructed(quantized, model, steps=0)
    for before, after in zip(_layers(quantized), _layers(found), strict=True):
        assert torch.equal(before.levels()[0], after.levels()[0])
    assert not torch.equal(quantized.get_parameter("norm.bias"), found.get_parameter("norm.bias"))


def test_the_same_seed_gives_the_same_network_and_another_another() -> None:
    model = network()
    quantized = quantize(model, 2, IMAGES)
    global_state = torch.get_rng_state()
    before = copy.deepcopy(quantized.state_dict())
    first, second, third = (reconstructed(quantized, model, seed, 5) for seed in (0, 0, 1))
    outputs = [found(OTHERS) for found in (first, second, third)]
    assert torch.equal(outputs[0], outputs[1])
    assert not torch.equal(outputs[0], outputs[2])
    assert torch.equal(torch.get_rng_state(), global_state)
    after = quantized.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_a_folded_network_is_reconstructed_beside_the_equalized_one() -> None:
    model = network()
    quantized = quantize_trained(model, 3, IMAGES)
    found = reconstructed(quantized, equalized(model))
    # It has a few images only, and biases that were corrected on them.
    assert error(found, model, IMAGES) < error(quantized, model, IMAGES)
    with pytest.raises(ValueError, match="the float network must be the one that was quantized"):
        reconstructed(quantized, model)


def test_pruned_weights_stay_zero() -> None:
    model = sparsify(network(), 0.5, IMAGES)
    found = named_layers(reconstructed(quantize(model, 3, IMAGES), model, steps=5))
    for name, layer in named_layers(model).items():
        assert not found[name].weight[layer.weight == 0].any()


def test_segments_end_where_one_tensor_is_read() -> None:
    model = network()
    parts = segments(quantize(model, 8, IMAGES), model)
    names = [
        [str(node.target) for node in part.floating.graph.nodes if node.op == "call_module"]
        for part in parts
    ]
    assert names == [
        ["stem", "norm", "relu"],
        ["block.first", "block.norm", "block.relu", "block.second", "block.last"],
        ["pool", "flatten", "head"],
    ]
    given = OTHERS
    for part in parts:
        given = part.floating(given)
    assert torch.equal(given, model(OTHERS))


def test_what_cannot_be_reconstructed_is_refused() -> None:
    model = network()
    quantized, shuffle = quantize(model, 2, IMAGES), torch.Generator()
    with pytest.raises(ValueError, match="must be traced by insert_quantizers"):
        reconstruct(model, model, IMAGES, generator=shuffle)
    with pytest.raises(ValueError, match="steps of reconstruction must be 0 or more, but got -1"):
        reconstruct(quantized, model, IMAGES, generator=shuffle, steps=-1)
    with pytest.raises(ValueError, match="there must be images"):
        reconstruct(quantized, model, IMAGES[:0], generator=shuffle)
    bare = quantize(nn.Sequential(nn.Linear(3, 2)), 2, torch.rand(4, 3))
    with pytest.raises(ValueError, match=r"has no counterpart of \['0'\]"):
        reconstruct(bare, nn.Sequential(nn.ReLU()), torch.rand(4, 3), generator=shuffle)
