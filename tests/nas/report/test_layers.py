"""The layers of a packed file, under the names of the user's network."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from compressors import quantize
from nas.lowering import lower
from nas.packed import pack
from nas.packed.drawn_layers import read_layers
from nas.report.layers import choices_at
from tests.nas.report.runs import trial


def network() -> nn.Sequential:
    torch.manual_seed(0)
    model = nn.Sequential()
    # Equal shapes, so that weights alone tell them apart.
    for name in ("stem", "first", "second"):
        model.add_module(name, nn.Conv2d(4, 4, 3, padding=1))
        model.add_module(f"{name}_relu", nn.ReLU())
    model.add_module("pool", nn.AdaptiveAvgPool2d(1))
    model.add_module("flatten", nn.Flatten())
    model.add_module("head", nn.Linear(4, 3))
    return model


@pytest.mark.parametrize("bits", [1, 2, 8])
def test_layers_have_the_names_of_the_network(tmp_path: Path, bits: int) -> None:
    model, images = network(), torch.rand(16, 4, 6, 6)
    quantized = quantize(model, dict.fromkeys(("stem", "first", "second", "head"), bits), images)
    packed = pack(lower(quantized, images))
    weights = {name: tensor.numpy() for name, tensor in model.state_dict().items()}
    np.savez(tmp_path / "w.npz", allow_pickle=False, **dict(reversed(weights.items())))
    file = read_layers(packed, tmp_path / "w.npz")
    assert file.input == (4, 6, 6)
    assert [layer.name for layer in file.layers] == [
        "stem",
        "first",
        "second",
        "3.avgpool",
        "4.flatten",
        "head",
    ]
    assert [layer.weight_bits for layer in file.layers] == [bits, bits, bits, None, None, bits]
    assert file.layers[0].operator == "conv 3×3"
    assert file.total == len(packed)


def test_without_weights_layers_have_their_indices(tmp_path: Path) -> None:
    packed = pack(lower(network(), torch.rand(16, 4, 6, 6)))
    (tmp_path / "damaged.npz").write_bytes(b"PK")
    for path in (tmp_path / "missing.npz", tmp_path / "damaged.npz"):
        assert [layer.name for layer in read_layers(packed, path).layers][:2] == [
            "0.conv",
            "1.conv",
        ]


def test_weights_of_another_network_give_no_names(tmp_path: Path) -> None:
    packed = pack(lower(network(), torch.rand(16, 4, 6, 6)))
    np.savez(
        tmp_path / "w.npz",
        allow_pickle=False,
        stem=np.random.default_rng(0).normal(size=(4, 4, 3, 3)),
    )
    assert read_layers(packed, tmp_path / "w.npz").layers[0].name == "0.conv"


def test_operators_say_their_kernel_groups_and_stride(tmp_path: Path) -> None:
    model = nn.Sequential(
        nn.Conv2d(4, 4, (1, 5), groups=4, stride=2),
        nn.Conv2d(4, 4, 3, groups=2, dilation=2),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(8, 2),
    )
    layers = read_layers(pack(lower(model, torch.rand(4, 4, 16, 16))), tmp_path / "none").layers
    assert [layer.operator for layer in layers] == [
        "depthwise conv 1×5, stride 2",
        "conv in 2 groups 3×3, dilation 2",
        "max pool",
        "flatten",
        "linear",
    ]


def test_choices_belong_to_the_innermost_site() -> None:
    chosen = trial(
        0, design={"depth": 2, "stage0.op": "conv", "stage0.block.bits": 4, "stage01.bits": 8}
    )
    assert choices_at(chosen, "stage0.block.0") == {"bits": 4}
    assert choices_at(chosen, "stage0.other") == {"op": "conv"}
    assert choices_at(chosen, "head") == {}
