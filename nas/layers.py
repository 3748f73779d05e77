"""Layers with weights: how to find, replace and observe them in any network."""

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

from torch import Tensor, nn

Convolution = nn.Conv1d | nn.Conv2d
"""A convolution of signals [N, C, L] or images [N, C, H, W]."""

WeightLayer = Convolution | nn.Linear
"""A layer whose weights are compressed, [out, in, …]."""

ForwardHook = Callable[[nn.Module, tuple[Any, ...], Any], Tensor | None]
"""Called with a module, its positional inputs and its output; a tensor replaces the output."""


def named_layers(model: nn.Module) -> dict[str, WeightLayer]:
    """The convolutions and linear layers of a network, in its order, each by its first dotted
    name.
    """
    return {
        name: module for name, module in model.named_modules() if isinstance(module, WeightLayer)
    }


def layers_at(model: nn.Module, site: str) -> dict[str, WeightLayer]:
    """The convolutions and linear layers at or below a site, by all their dotted names in `model`.

    Raises:
        ValueError: if the site names no module, or no layer is at or below it.
    """
    modules = dict(model.named_modules(remove_duplicate=False))
    if site not in modules:
        raise ValueError(
            f"a site must name a module of the network, {[name for name in modules if name]}, but got {site!r}"
        )
    found = {
        name: module
        for name, module in modules.items()
        if isinstance(module, WeightLayer) and _is_below(name, site)
    }
    if not found:
        raise ValueError(
            f"a site must hold a convolution or linear layer, but {site!r} is {modules[site]}"
        )
    return found


def _is_below(name: str, site: str) -> bool:
    return not site or name == site or name.startswith(site + ".")


def replace_modules(model: nn.Module, replacements: Mapping[nn.Module, nn.Module]) -> nn.Module:
    """`model` with modules replaced in place, under every name that they have.

    Nothing is replaced inside a replaced module. If the network itself is replaced, its replacement
    is returned.
    """
    if model in replacements:
        return replacements[model]
    replaced = list[str]()
    for name, module in list(model.named_modules(remove_duplicate=False)):
        if module in replacements and not any(_is_below(name, outer) for outer in replaced):
            model.set_submodule(name, replacements[module])
            replaced.append(name)
    return model


def copied_at(model: nn.Module, site: str) -> nn.Module:
    """A network that shares all modules with `model` but those at, below and around a site, which
    are copies: to change one layer, in a fraction of the time that a whole copy takes.
    """
    # By modules and not by names, of which a layer that is used twice may have several.
    changed = set(model.get_submodule(site).modules())
    shared = {
        id(module): module for module in model.modules() if changed.isdisjoint(module.modules())
    }
    return copy.deepcopy(model, shared)


@contextmanager
def forward_hooks(hooks: Iterable[tuple[nn.Module, ForwardHook]]) -> Iterator[None]:
    """A context in which each module calls its hook after every forward pass."""
    with ExitStack() as registered:
        for module, hook in hooks:
            registered.callback(module.register_forward_hook(hook).remove)
        yield


_SHAPE_OF_CONVOLUTION = (
    *("in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation"),
    *("transposed", "output_padding", "groups", "padding_mode", "_reversed_padding_repeated_twice"),
)
_SHAPE_OF_LINEAR = ("in_features", "out_features")


def adopt_shape(made: WeightLayer, layer: WeightLayer) -> None:
    """Initializes `made`, of a class that derives from that of `layer`, as a layer of the same shape that
    has yet to be given its weights and bias. Initial weights take time even where they have no storage.
    """
    nn.Module.__init__(made)
    names = _SHAPE_OF_LINEAR if isinstance(layer, nn.Linear) else _SHAPE_OF_CONVOLUTION
    vars(made).update({name: getattr(layer, name) for name in names})
    made.register_parameter("weight", None)
    made.register_parameter("bias", None)


def constructor_arguments(layer: WeightLayer) -> dict[str, Any]:
    """The keyword arguments that construct a layer of the same shape, its tensors on the meta
    device.
    """
    if isinstance(layer, nn.Linear):
        shape = {"in_features": layer.in_features, "out_features": layer.out_features}
    else:
        names = "in_channels out_channels kernel_size stride padding dilation groups padding_mode"
        shape = {name: getattr(layer, name) for name in names.split()}
    return {**shape, "bias": layer.bias is not None, "device": "meta"}
