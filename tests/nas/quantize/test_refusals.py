"""What docs/networks.md says of networks is so."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from nas.quantize import UnsupportedError, insert_quantizers
from nas.quantize.refusals import INSTEAD
from nas.quantize.roles import SUPPORTED
from tests.networks import Wired

TEXT = (Path(__file__).parents[3] / "docs" / "networks.md").read_text()

MODULES: dict[str, Callable[[], nn.Module]] = {
    "MultiheadAttention": lambda: nn.MultiheadAttention(4, 2),
    "TransformerEncoderLayer": lambda: nn.TransformerEncoderLayer(4, 2),
    "LayerNorm": lambda: nn.LayerNorm(4),
    "RMSNorm": lambda: nn.RMSNorm(4),
    "GroupNorm": lambda: nn.GroupNorm(2, 4),
    "InstanceNorm1d": lambda: nn.InstanceNorm1d(4),
    "InstanceNorm2d": lambda: nn.InstanceNorm2d(4),
    **{
        name: lambda name=name: getattr(nn, name)(4, 4)  # type: ignore[misc]
        for name in (
            *("RNN", "LSTM", "GRU", "RNNCell", "LSTMCell", "GRUCell"),
            *("Embedding", "EmbeddingBag"),
        )
    },
    "Conv3d": lambda: nn.Conv3d(4, 4, 1),
    "MaxPool3d": lambda: nn.MaxPool3d(2),
    "AvgPool3d": lambda: nn.AvgPool3d(2),
    "BatchNorm3d": lambda: nn.BatchNorm3d(4),
    "ConvTranspose1d": lambda: nn.ConvTranspose1d(4, 4, 2),
    "ConvTranspose2d": lambda: nn.ConvTranspose2d(4, 4, 2),
    "ConvTranspose3d": lambda: nn.ConvTranspose3d(4, 4, 2),
    "Softmax": lambda: nn.Softmax(1),
    "LogSoftmax": lambda: nn.LogSoftmax(1),
    "Softmin": lambda: nn.Softmin(1),
    "Softmax2d": nn.Softmax2d,
    "ReflectionPad2d": lambda: nn.ReflectionPad2d(1),
    "ReplicationPad2d": lambda: nn.ReplicationPad2d(1),
    "CircularPad2d": lambda: nn.CircularPad2d(1),
    "Bilinear": lambda: nn.Bilinear(4, 4, 4),
    "LPPool2d": lambda: nn.LPPool2d(2, 2),
    "FractionalMaxPool2d": lambda: nn.FractionalMaxPool2d(2, 2),
    "LocalResponseNorm": lambda: nn.LocalResponseNorm(2),
    "GLU": nn.GLU,
    "Dropout3d": nn.Dropout3d,
    "RReLU": nn.RReLU,
}

FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "scaled_dot_product_attention": lambda x: functional.scaled_dot_product_attention(x, x, x),
    "layer_norm": lambda x: functional.layer_norm(x, (4,)),
    "group_norm": lambda x: functional.group_norm(x, 2),
    "instance_norm": functional.instance_norm,
    "softmax": lambda x: functional.softmax(x, 1),
    "log_softmax": lambda x: functional.log_softmax(x, 1),
    "softmin": lambda x: functional.softmin(x, 1),
    "embedding": lambda x: functional.embedding(x, torch.ones(4, 4)),
    "bilinear": lambda x: functional.bilinear(x, x, torch.ones(4, 4, 4)),
    "conv1d": lambda x: functional.conv1d(x, torch.ones(4, 4, 1)),
    "conv2d": lambda x: functional.conv2d(x, torch.ones(4, 4, 1, 1)),
    "linear": lambda x: functional.linear(x, torch.ones(4, 4)),
    "batch_norm": lambda x: functional.batch_norm(x, torch.zeros(4), torch.ones(4)),
    "prelu": lambda x: functional.prelu(x, torch.ones(4)),
    "matmul": lambda x: x @ x,
    "bmm": lambda x: torch.bmm(x, x),
    "einsum": lambda x: torch.einsum("nc,nc->nc", x, x),
    "max": lambda x: torch.max(x, x),
    "min": lambda x: torch.min(x, x),
    "maximum": lambda x: torch.maximum(x, x),
    "minimum": lambda x: torch.minimum(x, x),
    "expand": lambda x: x.expand(2, 4),
    "stack": lambda x: torch.stack([x, x], 1),
}


def test_everything_that_is_refused_with_advice_is_tried() -> None:
    assert set(INSTEAD) == MODULES.keys() | FUNCTIONS.keys()


@pytest.mark.parametrize("name", MODULES)
def test_modules_are_refused_by_name_with_what_to_use_instead(name: str) -> None:
    model = nn.Sequential(nn.Linear(4, 4), MODULES[name](), nn.ReLU())
    with pytest.raises(
        UnsupportedError,
        match=rf"'1' is a {name}; .*; use {re.escape(INSTEAD[name])} instead$",
    ):
        insert_quantizers(model, 8)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_are_refused_by_name_with_what_to_use_instead(name: str) -> None:
    model = Wired(lambda net, x: FUNCTIONS[name](x).relu())
    with pytest.raises(
        UnsupportedError, match=rf"calls {name}; .*; use {re.escape(INSTEAD[name])} instead$"
    ):
        insert_quantizers(model, 8)


def test_the_table_names_all_that_is_refused_and_all_that_is_supported() -> None:
    supported, refused = TEXT.split("| refused |")
    for name, instead in INSTEAD.items():
        (row,) = [line for line in refused.splitlines() if f"`{name}`" in line]
        assert row.endswith(f"| {instead} |")
    ours = {"Select", "Spread"}
    for name in set(SUPPORTED.split(", ")) - ours:
        assert f"`{name}`" in supported
