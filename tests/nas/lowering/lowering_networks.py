"""Networks with the operations that they are lowered to, and how far a program is from them."""

import copy

import torch
from torch import Tensor, nn
from torch.nn import functional

from compressors.quantization import Quantization
from nas.program import Interpreter, Program
from nas.program.operations import (
    Add,
    AvgPool,
    Concat,
    Conv,
    Flatten,
    Linear,
    Lut,
    MaxPool,
    Mul,
    Operation,
    Pad,
    PRelu,
    Upsample,
)
from nas.quantize.weight_levels import Granularity
from nas.quantize.weight_quantizers import WeightMethod
from nas.seeds import seeded
from tests.networks import Wired


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def normalized(norm: nn.BatchNorm1d | nn.BatchNorm2d) -> nn.Module:
    """Batch normalization as after some training, with gains of both signs and one of zero."""
    with torch.no_grad():
        norm.weight.copy_(torch.linspace(-1.5, 1.5, norm.num_features))
        if norm.num_features > 2:
            norm.weight[1] = 0.0
        norm.bias.copy_(noise(norm.num_features, seed=1))
        assert norm.running_mean is not None
        assert norm.running_var is not None
        norm.running_mean.copy_(noise(norm.num_features, seed=2))
        norm.running_var.copy_(noise(norm.num_features, seed=3).abs() + 0.3)
    return norm


def sequence(*layers: nn.Module) -> nn.Module:
    return nn.Sequential(*layers, nn.Flatten())


def slopes(channels: int) -> nn.PReLU:
    """A PReLU as after some training, with slopes of both signs, one of zero and one above 1."""
    made = nn.PReLU(channels)
    with torch.no_grad():
        made.weight.copy_(torch.linspace(-0.7, 1.4, channels))
        made.weight[1] = 0.0
    return made


def gated(net: Wired, x: Tensor) -> Tensor:
    y = net["conv"](x)
    return net["flat"](y * torch.sigmoid(net["gate"](net["pool"](y))))


def residual(net: Wired, x: Tensor) -> Tensor:
    y = net["a"](x)
    return net["flat"](torch.relu(y + net["b"](torch.relu(y))))


def joined(net: Wired, x: Tensor) -> Tensor:
    y = net["a"](x)
    return net["flat"](torch.cat([y, net["b"](y)], 1))


def same(net: Wired, x: Tensor) -> Tensor:
    """A convolution with "same" padding and stride 2, as TensorFlow has it, and a shortcut."""
    y = net["a"](functional.pad(x, (0, 1, 0, 1)))
    return net["flat"](y + functional.pad(net["b"](y), (1, 0, 0, 2)))


def networks() -> dict[str, tuple[nn.Module, tuple[type[Operation], ...]]]:
    flat = nn.Flatten()
    tables = (
        nn.Sigmoid,
        nn.Tanh,
        nn.Hardswish,
        nn.Hardsigmoid,
        nn.SiLU,
        nn.GELU,
        nn.ELU,
        nn.LeakyReLU,
        nn.Hardtanh,
        nn.Mish,
    )
    with seeded(0):
        return {
            "folded": (
                sequence(
                    nn.Conv2d(4, 5, 3, bias=False),
                    normalized(nn.BatchNorm2d(5)),
                    nn.ReLU(),
                    nn.Conv2d(5, 3, 1),
                ),
                (Conv, Conv, Flatten),
            ),
            "folded with a bias": (
                sequence(nn.Conv2d(4, 6, 3), normalized(nn.BatchNorm2d(6))),
                (Conv, Flatten),
            ),
            "folded linear": (
                nn.Sequential(
                    flat,
                    nn.Linear(256, 7, bias=False),
                    normalized(nn.BatchNorm1d(7)),
                    nn.ReLU(),
                    nn.Linear(7, 3),
                ),
                (Flatten, Linear, Linear),
            ),
            "relu6": (sequence(nn.Conv2d(4, 5, 3), nn.ReLU6()), (Conv, Flatten)),
            "depthwise": (sequence(nn.Conv2d(4, 4, 3, padding=1, groups=4)), (Conv, Flatten)),
            "grouped": (sequence(nn.Conv2d(4, 6, 3, groups=2)), (Conv, Flatten)),
            "dilated": (
                sequence(nn.Conv2d(4, 3, 3, dilation=(2, 1), padding=(2, 0))),
                (Conv, Flatten),
            ),
            "strided": (
                sequence(nn.Conv2d(4, 3, (5, 3), stride=(2, 3), padding=(1, 0))),
                (Conv, Flatten),
            ),
            "max pooling": (
                sequence(nn.Conv2d(4, 3, 3), nn.MaxPool2d(3, 2, 1)),
                (Conv, MaxPool, Flatten),
            ),
            "average pooling": (
                sequence(nn.Conv2d(4, 3, 1), nn.AvgPool2d(3, 2, 1)),
                (Conv, AvgPool, Flatten),
            ),
            "adaptive pooling": (
                sequence(nn.Conv2d(4, 3, 1), nn.AdaptiveAvgPool2d((2, 4))),
                (Conv, AvgPool, Flatten),
            ),
            "upsampling": (
                sequence(nn.Conv2d(4, 2, 3), nn.UpsamplingNearest2d(scale_factor=2)),
                (Conv, Upsample, Flatten),
            ),
            "gate": (
                Wired(
                    gated,
                    conv=nn.Conv2d(4, 5, 3),
                    pool=nn.AdaptiveAvgPool2d(1),
                    gate=nn.Conv2d(5, 5, 1),
                    flat=flat,
                ),
                (Conv, AvgPool, Conv, Lut, Mul, Flatten),
            ),
            "residual": (
                Wired(residual, a=nn.Conv2d(4, 5, 3), b=nn.Conv2d(5, 5, 3, padding=1), flat=flat),
                # A ReLU whose input has another reader is a table.
                (Conv, Lut, Conv, Add, Flatten),
            ),
            "joined": (
                Wired(joined, a=nn.Conv2d(4, 3, 1), b=nn.Conv2d(3, 2, 1), flat=flat),
                (Conv, Conv, Concat, Flatten),
            ),
            **{
                kind.__name__: (sequence(nn.Conv2d(4, 3, 3), kind()), (Conv, Lut, Flatten))
                for kind in tables
            },
            "PReLU": (sequence(nn.Conv2d(4, 3, 3), slopes(3)), (Conv, PRelu, Flatten)),
            "PReLU with one slope": (
                sequence(nn.Conv2d(4, 3, 3), nn.PReLU(init=-0.3)),
                (Conv, PRelu, Flatten),
            ),
            "PReLU of features": (
                nn.Sequential(flat, nn.Linear(256, 7), slopes(7), nn.Linear(7, 3)),
                (Flatten, Linear, PRelu, Linear),
            ),
            "zero padding": (
                sequence(
                    nn.Conv2d(4, 3, 3, bias=False),
                    normalized(nn.BatchNorm2d(3)),
                    nn.ReLU6(),
                    nn.ZeroPad2d((3, 0, 1, 2)),
                    nn.ReLU(),
                    nn.ZeroPad2d(0),
                    nn.Conv2d(3, 3, 3, stride=2),
                ),
                # A ReLU behind a padding is a table.
                (Conv, Pad, Lut, Conv, Flatten),
            ),
            "same padding": (
                Wired(
                    same,
                    a=nn.Conv2d(4, 5, 3, stride=2),
                    b=nn.Conv2d(5, 5, (3, 4), padding=(0, 1)),
                    flat=flat,
                ),
                (Pad, Conv, Conv, Pad, Add, Flatten),
            ),
        }


IMAGES = noise(64, 4, 8, 8)


NETWORKS = networks()


def quantized(
    model: nn.Module, bits: int = 4, weights: WeightMethod = "max", scales: Granularity = "channel"
) -> nn.Module:
    return Quantization(weights=weights, weight_scales=scales).apply(
        copy.deepcopy(model), {"": bits}, IMAGES
    )


def steps(program: Program, model: nn.Module, inputs: Tensor) -> Tensor:
    """By how many steps of the output the program differs from the network."""
    with torch.no_grad():
        said: Tensor = model.eval()(inputs)
    return (Interpreter(program)(inputs) - said).abs() / program.tensors[-1].scale
