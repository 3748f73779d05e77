"""The same networks by other tools, where these are installed."""

import copy
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import torch_pruning
from torch import nn

from benchmarks.sizes import onnx_accuracy, statically_quantized
from benchmarks.trained.baselines import CALIBRATION, trained_by_answers
from benchmarks.trained.table import Measured
from nas.data import Task
from nas.layers import named_layers
from nas.onnx import float_to_onnx
from nas.training.fit import accuracy
from nas.training.recipe import Recipe


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

    Raises:
        ValueError: if it is not installed.
    """
    if find_spec("brevitas") is None:
        raise ValueError("Brevitas must be installed, as the extra compare does, but is not")
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


def _of_brevitas(layers: Any, layer: nn.Module, bits: int) -> nn.Module:
    kept = {"bias": layer.bias is not None, "weight_bit_width": bits}
    if isinstance(layer, nn.Linear):
        make: Callable[..., nn.Module] = layers.QuantLinear
        return make(layer.in_features, layer.out_features, **kept)
    assert isinstance(layer, nn.Conv2d)
    make = layers.QuantConv2d
    geometry = layer.stride, layer.padding, layer.dilation, layer.groups
    return make(layer.in_channels, layer.out_channels, layer.kernel_size, *geometry, **kept)
