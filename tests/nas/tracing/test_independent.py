"""Copies without parametrizations and masks of torch."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, parametrize, prune, spectral_norm, weight_norm

from compressors.pruning import prune as prune_channels
from compressors.pruning import widths
from compressors.quantization import quantize
from compressors.sparsity import sparsities
from nas.compress import compress
from nas.lowering import lower
from nas.mask import mask_of
from nas.program import logits
from nas.tracing import independent_copy, outputs
from nas.tracing.same_outputs import difference

# Torch's own are not typed.
L1_UNSTRUCTURED: Any = prune.l1_unstructured
LN_STRUCTURED: Any = prune.ln_structured
RANDOM_UNSTRUCTURED: Any = prune.random_unstructured
INPUTS = torch.randn(8, 3, 6, 6, generator=torch.Generator().manual_seed(0))


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(8, 4),
    )


def parametrized_weights() -> nn.Module:
    model = network()
    parametrizations.weight_norm(model[0])
    return model


def parametrized_spectra() -> nn.Module:
    model = network()
    parametrizations.spectral_norm(model[5])
    return model


class Symmetric(nn.Module):
    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        return weight + weight.flip(-1)


def own_parametrization() -> nn.Module:
    model = network()
    parametrize.register_parametrization(model[0], "weight", Symmetric())
    return model


def hooked_weights() -> nn.Module:
    model = network()
    with pytest.warns(FutureWarning):
        weight_norm(model[0])
    return model


def hooked_spectra() -> nn.Module:
    model = network()
    spectral_norm(model[5])
    return model


def masked() -> nn.Module:
    model = network()
    L1_UNSTRUCTURED(model[0], "weight", 0.5)
    LN_STRUCTURED(model[5], "weight", 0.25, n=2, dim=0)
    return model


def masked_twice() -> nn.Module:
    model = masked()
    RANDOM_UNSTRUCTURED(model.get_submodule("0"), "weight", 0.5)
    return model


MADE = [
    *(
        parametrized_weights,
        parametrized_spectra,
        own_parametrization,
        hooked_weights,
        hooked_spectra,
    ),
    *(masked, masked_twice),
]


@pytest.mark.parametrize("make", MADE)
def test_a_copy_says_the_same_and_leaves_the_original(make: Callable[[], nn.Module]) -> None:
    model = make()
    model(INPUTS).sum().backward()  # computed weights now have a history
    wanted = outputs(model, INPUTS)
    copied = independent_copy(model)
    assert difference(wanted, outputs(copied, INPUTS)) < 1e-6
    assert [type(module) for module in copied.children()] == [type(module) for module in network()]
    assert all(isinstance(copied.get_submodule(at).weight, nn.Parameter) for at in "05")
    assert difference(wanted, outputs(model, INPUTS)) == 0.0
    model(INPUTS).sum().backward()  # and it can still be trained


@pytest.mark.parametrize("make", MADE)
def test_such_networks_are_compressed(make: Callable[[], nn.Module]) -> None:
    model = make()
    wanted = outputs(model, INPUTS)
    assert difference(wanted, torch.from_numpy(logits(lower(model, INPUTS), INPUTS))) < 0.03
    assert difference(wanted, outputs(quantize(model, 8, INPUTS), INPUTS)) < 0.03
    assert difference(wanted, outputs(compress(model, {}, (), INPUTS), INPUTS)) < 1e-6


def test_channels_of_a_parametrized_layer_are_pruned() -> None:
    assert widths(prune_channels(parametrized_weights(), 0.5, INPUTS))["0"] == 4


def test_masks_of_torch_become_ours() -> None:
    copied = independent_copy(masked())
    assert sparsities(copied) == {"0": 0.5, "5": 0.25}
    layer = copied.get_submodule("0")
    mask = mask_of(layer)
    assert mask is not None
    with torch.no_grad():
        layer.weight.add_(1.0)  # type: ignore[operator] # a parameter
    mask.after_step(0.5)
    assert sparsities(copied)["0"] == 0.5


def test_frozen_weights_stay_frozen() -> None:
    model = parametrized_weights().requires_grad_(False)
    copied = independent_copy(model)
    assert not any(weights.requires_grad for weights in copied.parameters())
