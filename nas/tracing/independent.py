"""Copies of networks that own their weights: without parametrizations, the masks of torch, and
transposed convolutions.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import remove_spectral_norm, remove_weight_norm
from torch.nn.utils.parametrize import is_parametrized, type_before_parametrizations
from torch.nn.utils.prune import BasePruningMethod
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm

from nas.layers import replace_modules
from nas.mask import WeightMask
from nas.tracing.copying import deep_copy
from nas.tracing.same_outputs import evaluating
from nas.tracing.transposed import as_convolution, has_convolution


def independent_copy(model: nn.Module) -> nn.Module:
    """A deep copy of a network whose layers have weights of their own, and say the same in
    evaluation mode.

    Weights that torch.nn.utils computes from others (weight_norm, spectral_norm, and any other
    parametrization) are computed once. Masks of torch.nn.utils.prune become ours, so that training
    keeps their zeros. Transposed convolutions become convolutions of images with zeros between their
    pixels, below the same names.
    """
    for module in model.modules():
        _detach_computed(module)
    copied = deep_copy(model)
    for module in copied.modules():
        if is_parametrized(module) or _hooks(module):
            # Spectral norms take a step of their power iteration in training mode.
            with evaluating(module), torch.no_grad():
                _resolve(module)
    transposed = filter(has_convolution, copied.modules())
    return replace_modules(copied, {layer: as_convolution(layer) for layer in transposed})


def _hooks(module: nn.Module) -> list[Any]:
    return list(module._forward_pre_hooks.values())


def _detach_computed(module: nn.Module) -> None:
    """Detaches the attributes that a hook computes before every forward pass: a tensor with a history
    cannot be copied.
    """
    for hook in _hooks(module):
        if isinstance(hook, (WeightNorm, SpectralNorm)):
            name = hook.name
        elif isinstance(hook, BasePruningMethod):
            name = hook._tensor_name
        else:
            continue
        setattr(module, name, getattr(module, name).detach())


def _resolve(module: nn.Module) -> None:
    if is_parametrized(module):
        _remove_parametrizations(module)
    for hook in _hooks(module):
        if isinstance(hook, WeightNorm):
            remove_weight_norm(module, hook.name)
        elif isinstance(hook, SpectralNorm):
            remove_spectral_norm(module, hook.name)
        elif isinstance(hook, BasePruningMethod):
            _adopt(module, hook)


def _remove_parametrizations(module: nn.Module) -> None:
    """Leaves the computed values as parameters.

    Not by torch's function, which takes them from the class that a copy has in common with the
    original.
    """
    found = module.parametrizations
    assert isinstance(found, nn.ModuleDict)
    values = {name: getattr(module, name).clone() for name in found}
    plain = type_before_parametrizations(module)
    del module.parametrizations
    module.__class__ = plain
    for name, value in values.items():
        trained = any(weights.requires_grad for weights in found[name].parameters())
        module.register_parameter(name, nn.Parameter(value, trained))


def _adopt(module: nn.Module, pruning: BasePruningMethod) -> None:
    """Makes of a mask of torch one of ours, at a layer's weights; elsewhere its zeros are kept as
    they are.
    """
    name = pruning._tensor_name
    kept: Tensor = getattr(module, f"{name}_mask") != 0
    keys = [key for key, hook in module._forward_pre_hooks.items() if hook is pruning]
    pruning.remove(module)
    for key in keys:
        del module._forward_pre_hooks[key]
    if name == "weight" and not bool(kept.all()):
        weight = module.weight
        assert isinstance(weight, nn.Parameter)
        module.add_module(
            "mask", WeightMask(weight, kept.double(), int(kept.sum()), None, lambda _: 1.0)
        )
