"""The same networks by other tools, where these are installed."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec

import torch_pruning
from torch import nn

from benchmarks.sizes import onnx_accuracy, statically_quantized
from benchmarks.trained.baselines import CALIBRATION, trained_by_answers
from nas.data import Task
from nas.layers import named_layers
from nas.onnx import float_to_onnx
from nas.training.fit import accuracy
from nas.training.recipe import Recipe


@dataclass(frozen=True)
class Measured:
    """The bytes of a network in a tool's format, and its test accuracy, 0 to 1."""

    size_bytes: int
    accuracy: float


def onnxruntime_int8(model: nn.Module, task: Task) -> Measured:
    """ONNX Runtime's own quantization to 8 bits, calibrated and not trained; an ONNX file."""
    floating = float_to_onnx(model, task.example)
    quantized = statically_quantized(floating, task.train.inputs[:CALIBRATION])
    return Measured(len(quantized.SerializeToString()), onnx_accuracy(quantized, task.test))


def torch_pruning_int8(
    model: nn.Module, task: Task, recipe: Recipe, ratio: float, seed: int
) -> Measured:
    """Torch-Pruning's group norms (Fang et al., 2023) with the same ratio everywhere, trained for
    the recipe's second phase, and ONNX Runtime's quantization to 8 bits.
    """
    smaller = copy.deepcopy(model)
    head = [layer for layer in smaller.modules() if isinstance(layer, nn.Linear)][-1:]
    torch_pruning.pruner.BasePruner(
        smaller,
        task.example,
        importance=torch_pruning.importance.GroupMagnitudeImportance(),
        pruning_ratio=ratio,
        ignored_layers=head,
    ).step()
    return onnxruntime_int8(trained_by_answers(smaller, model, task, recipe, seed), task)


def brevitas(model: nn.Module, task: Task, recipe: Recipe, bits: int, seed: int) -> Measured:
    """Layers of Brevitas with weights of `bits` bits, activations of 8 and defaults otherwise,
    trained for the recipe's second phase.

    Brevitas writes no file of so few bits. Counted are the bits of the weights without any coding,
    and two values of 32 bits for each channel, a scale and a bias.
    """
    nn_of_brevitas, quantized = import_module("brevitas.nn"), copy.deepcopy(model)
    size = 0.0
    for name, layer in named_layers(model).items():
        made = _of_brevitas(nn_of_brevitas, layer, bits)
        made.load_state_dict(layer.state_dict(), strict=False)
        quantized.set_submodule(name, made)
        size += layer.weight.numel() * bits / 8 + 2 * 4 * layer.weight.shape[0]
    for name, module in model.named_modules():
        if isinstance(module, (nn.ReLU, nn.ReLU6)):
            quantized.set_submodule(name, nn_of_brevitas.QuantReLU())
    student = nn.Sequential(nn_of_brevitas.QuantIdentity(), quantized)
    trained = trained_by_answers(student, model, task, recipe, seed)
    return Measured(round(size), accuracy(trained, task.test))


def _of_brevitas(layers: object, layer: nn.Module, bits: int) -> nn.Module:
    if isinstance(layer, nn.Conv2d):
        geometry = (layer.stride, layer.padding, layer.dilation, layer.groups)
        sizes = (layer.in_channels, layer.out_channels, layer.kernel_size)
        kind, arguments = "QuantConv2d", (*sizes, *geometry)
    else:
        assert isinstance(layer, nn.Linear)
        kind, arguments = "QuantLinear", (layer.in_features, layer.out_features)
    make: Callable[..., nn.Module] = getattr(layers, kind)
    return make(*arguments, bias=layer.bias is not None, weight_bit_width=bits)


def installed(module: str) -> bool:
    """Whether a tool can be imported."""
    return find_spec(module) is not None
