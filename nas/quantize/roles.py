"""The role of each node of a traced network in its integer program."""

import operator
from enum import Enum, auto
from functools import lru_cache
from typing import get_args

import torch
from torch import fx, nn
from torch.nn import functional

from nas.layers import WeightLayer
from nas.quantize import rearrangements
from nas.quantize.activation_quantizers import ActivationQuantizer
from nas.quantize.constants import ChannelAffine, ScalarAffine
from nas.quantize.refusals import advice
from nas.quantize.select import Select
from nas.tracing import Spread, UnsupportedError, module_at


class Role(Enum):
    """What becomes of a node in the integer program."""

    LAYER = auto()  # weights; its sums are rescaled to its result
    NORM = auto()  # folded into the layer before it, or a layer of its own
    AFFINE = auto()  # multiplies and adds constants of channels
    CLAMP = auto()  # fused into the operation before it
    SUM = auto()
    PRODUCT = auto()
    CONCAT = auto()
    MEAN = auto()
    UNARY = auto()  # a function of one value: a table, or multipliers for nn.PReLU
    KEEP = auto()  # moves integers about and changes none; a padding adds zero points


_MODULES: tuple[tuple[Role, tuple[type[nn.Module], ...]], ...] = (
    (Role.LAYER, get_args(WeightLayer)),
    (Role.NORM, (nn.BatchNorm2d, nn.BatchNorm1d)),
    (Role.CLAMP, (nn.ReLU, nn.ReLU6)),
    (Role.UNARY, (ScalarAffine,)),
    (Role.AFFINE, (ChannelAffine,)),
    (
        Role.MEAN,
        (nn.AvgPool1d, nn.AvgPool2d, nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d),
    ),
    (
        Role.UNARY,
        (
            nn.Sigmoid,
            nn.Tanh,
            nn.Hardswish,
            nn.Hardsigmoid,
            nn.SiLU,
            nn.GELU,
            nn.ELU,
            nn.LeakyReLU,
            nn.Mish,
            nn.Hardtanh,
            nn.SELU,
            nn.CELU,
            nn.Softplus,
            nn.Softsign,
            nn.LogSigmoid,
            nn.PReLU,
        ),
    ),
    (
        Role.KEEP,
        (
            *(nn.MaxPool1d, nn.MaxPool2d, nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d),
            *rearrangements.MODULES,
            nn.Identity,
            nn.Dropout,
            nn.Dropout1d,
            nn.Dropout2d,
            nn.Upsample,
            nn.UpsamplingNearest2d,
            nn.ConstantPad1d,
            nn.ZeroPad1d,
            nn.ConstantPad2d,
            nn.ZeroPad2d,
            Select,
            Spread,
        ),
    ),
)

_FUNCTIONS: tuple[tuple[Role, tuple[object, ...]], ...] = (
    (Role.CLAMP, (torch.relu, torch.relu_, functional.relu, functional.relu6, "relu", "relu_")),
    (Role.SUM, (operator.add, operator.iadd, torch.add, "add")),
    (Role.PRODUCT, (operator.mul, operator.imul, torch.mul, "mul")),
    (Role.CONCAT, (torch.cat, torch.concat)),
    (
        Role.UNARY,
        (
            torch.sigmoid,
            torch.tanh,
            functional.hardswish,
            functional.hardsigmoid,
            functional.silu,
            functional.gelu,
            functional.mish,
        ),
    ),
    (Role.UNARY, ("sigmoid", "tanh")),
    (Role.KEEP, rearrangements.FUNCTIONS),
)

_OURS = (ChannelAffine, ScalarAffine)
SUPPORTED = ", ".join(
    sorted(kind.__name__ for _, kinds in _MODULES for kind in kinds if kind not in _OURS)
)


def role(node: fx.Node, model: nn.Module) -> Role | None:
    """The role of a node; None for inputs, outputs, constants, sizes and activation quantizers.

    Raises:
        UnsupportedError: if the operation has no integer form.
    """
    if node.op in ("placeholder", "output", "get_attr") or rearrangements.is_size(node):
        return None
    if node.op == "call_module":
        module = module_at(model, str(node.target))
        if isinstance(module, ActivationQuantizer):
            return None
        if (found := _role_of(type(module))) is not None:  # type: ignore[arg-type] # has a hash
            return found
        raise UnsupportedError(
            f"every operation must have an integer form, but {str(node.target)!r} is a {type(module).__name__}; "
            f"these modules have one: {SUPPORTED}{advice(type(module).__name__)}"
        )
    for role_of_function, functions in _FUNCTIONS:
        if node.target in functions:
            return role_of_function
    name = (
        node.target
        if isinstance(node.target, str)
        else getattr(node.target, "__name__", str(node.target))
    )
    raise UnsupportedError(
        f"every operation must have an integer form, but {node.name!r} calls {name}; use one of these modules instead: "
        f"{SUPPORTED}{advice(name)}"
    )


@lru_cache(256)
def _role_of(kind: type[nn.Module]) -> Role | None:
    """The role of a class of modules; None if it has none."""
    return next((found for found, kinds in _MODULES if issubclass(kind, kinds)), None)
