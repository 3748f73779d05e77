"""Every compressor of layers on a network of signals."""

import copy
from collections.abc import Callable

import pytest
import torch
from torch import nn

from compressors import by_ratio, factorize, prune, quantize, quantize_trained, share, sparsify
from nas.layers import named_layers
from nas.lowering import lower, snapped
from nas.packed import pack, unpack
from nas.program import Interpreter
from nas.program.operations import Conv, Layer
from nas.seeds import seeded

SIGNALS = torch.randn(64, 2, 32, generator=torch.Generator().manual_seed(0))


def network() -> nn.Module:
    with seeded(0):
        return nn.Sequential(
            nn.Conv1d(2, 12, 5, padding=2),
            nn.BatchNorm1d(12),
            nn.ReLU(),
            nn.MaxPool1d(2),
            nn.Conv1d(12, 12, 3, 2),
            nn.ReLU(),
            nn.AdaptiveAvgPool1d(1),
            nn.Flatten(),
            nn.Linear(12, 3),
        ).eval()


COMPRESSED: dict[str, Callable[[nn.Module], nn.Module]] = {
    "pruned": lambda model: prune(model, 0.5, SIGNALS),
    "sparse": lambda model: sparsify(model, 0.5, SIGNALS),
    "shared": lambda model: share(model, 8, SIGNALS),
    "of low rank": lambda model: factorize(model, by_ratio(0.25)),
    "quantized": lambda model: model,
}


@pytest.mark.parametrize("name", COMPRESSED)
def test_a_compressed_network_of_signals_is_its_file(name: str) -> None:
    model = snapped(quantize(COMPRESSED[name](network()), 4, SIGNALS))
    program = lower(model, SIGNALS)
    assert program.tensors[0].shape == (2, 32)
    with torch.no_grad():
        said = model.eval()(SIGNALS)
    found = Interpreter(unpack(pack(program)))(SIGNALS)
    assert (found - said).abs().max() <= 1.01 * program.tensors[-1].scale
    plain = len(pack(lower(snapped(quantize(network(), 4, SIGNALS)), SIGNALS)))
    assert name == "quantized" or len(pack(program)) < plain


def test_pruning_removes_channels_and_sparsity_weights() -> None:
    widths = [len(layer.weight) for layer in named_layers(COMPRESSED["pruned"](network())).values()]
    assert widths == [6, 6, 3]
    program = lower(quantize(COMPRESSED["sparse"](network()), 4, SIGNALS), SIGNALS)
    for layer in program.operations:
        if isinstance(layer, Layer):
            assert (layer.weights.values == 0).sum() >= layer.weights.size // 2
            if isinstance(layer, Conv):
                assert layer.weights.kept is not None
                assert layer.weights.kept.shape == layer.weights.shape


def test_factors_of_full_rank_say_the_same() -> None:
    with seeded(0):
        conv = nn.Conv1d(3, 16, 5, 2, 1)
        wide = nn.Sequential(conv, nn.Flatten())
    with torch.no_grad():
        conv.weight[4:] = conv.weight[:4].repeat(3, 1, 1)  # of rank 4
        signals = torch.randn(4, 3, 20, generator=torch.Generator().manual_seed(0))
        made = factorize(copy.deepcopy(wide), by_ratio(4 / 15))
        assert [len(layer.weight) for layer in named_layers(made).values()] == [4, 16]
        torch.testing.assert_close(made(signals), wide(signals), rtol=1e-4, atol=1e-5)


def test_a_trained_network_of_signals_is_equalized_and_folded() -> None:
    model = network()
    program = lower(quantize_trained(model, 8, SIGNALS), SIGNALS)
    with torch.no_grad():
        said = model(SIGNALS)
    found = Interpreter(program)(SIGNALS)
    assert (found - said).norm() < 0.1 * said.norm()
