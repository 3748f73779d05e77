"""Functions and methods of a traced network, rewritten as the modules that compute the same."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn import functional

from nas.quantize.channel_joins import with_joined_channels
from nas.quantize.constants import with_affine_modules
from nas.quantize.known_sizes import with_known_sizes
from nas.quantize.whole_poolings import with_whole_poolings
from nas.tracing import UnsupportedError, module_at, rewriting, without_dead_code

FUNCTIONS = "functions"
"""The module of a rewritten network that holds what stands for functions, by the names of nodes."""


@dataclass(frozen=True)
class _Form:
    """The names of a function's arguments behind the first, and the module for their values."""

    names: tuple[str, ...]
    module: Callable[..., nn.Module]


def with_modules(traced: fx.GraphModule, example: Tensor | None = None) -> None:
    """Replaces, in place, each call of a function or method that has a module form by that of a
    module, which keeps the name of the node, and constants by modules.

    Sizes that such calls are given are numbers where they are known from `example`, a batch [N, …].

    Raises:
        UnsupportedError: if a function is called in a way that no module is.
    """
    with rewriting(traced):
        with_whole_poolings(traced, _replace)
        if example is not None:
            with_known_sizes(traced, example, _FORMS.keys())
        with_joined_channels(traced)
        for node in list(traced.graph.nodes):
            if node.op in ("call_function", "call_method") and node.target in _FORMS:
                _replace(node, _module(node, _FORMS[node.target]), traced)
            elif node.op in ("call_function", "call_method") and node.target in _REDUCTIONS:
                _reduce(node, _REDUCTIONS[node.target], traced)
            elif node.op == "call_method" and node.target == "view":
                node.target = "reshape"  # which also reads tensors whose channels are last
        with_affine_modules(traced, _replace)
        without_dead_code(traced)


def bound(node: fx.Node, names: Sequence[str]) -> dict[str, Any]:
    """The arguments of a call behind the first, by their names.

    Raises:
        UnsupportedError: if there are others, or one is no constant.
    """
    given = dict(zip(names, node.args[1:], strict=False)) | dict(node.kwargs)
    given.pop("input", None)
    if len(node.args) - 1 > len(names) or (given.keys() - set(names)):
        raise UnsupportedError(
            f"{node.name!r} must have no further arguments than {list(names)}, but got {node.args[1:]}, {dict(node.kwargs)}"
        )
    nodes = list[fx.Node]()
    fx.map_arg(given, nodes.append)
    if nodes:
        raise UnsupportedError(
            f"{node.name!r} must have constant arguments, but got {node.args[1:]}, {dict(node.kwargs)}: use a module"
        )
    return given


def _module(node: fx.Node, form: _Form) -> nn.Module:
    given = bound(node, form.names)
    try:
        return form.module(**given)
    except UnsupportedError as error:
        raise UnsupportedError(f"{node.name!r} {error}") from error


def _replace(node: fx.Node, module: nn.Module, traced: fx.GraphModule) -> None:
    """Makes a node call a module of its own; the node keeps its name."""
    name = f"{FUNCTIONS}.{node.name}"
    traced.add_submodule(name, module.train(traced.training))
    source = node.args[0] if node.args else node.kwargs["input"]
    node.op, node.target, node.args, node.kwargs = "call_module", name, (source,), {}


def _reduce(node: fx.Node, kinds: Mapping[int, type[nn.Module]], traced: fx.GraphModule) -> None:
    """Makes a mean or a maximum over all pixels a pooling, and a flattening where it keeps no
    dimension.
    """
    given = bound(node, ("dim", "keepdim"))
    dims = given.get("dim")
    found = tuple(sorted(dims)) if isinstance(dims, (list, tuple)) else (dims,)
    if found not in _SPACE:
        raise UnsupportedError(
            f"{node.name!r} must reduce all pixels of images, dim=(2, 3), or signals, dim=2, but got "
            f"{node.args[1:]}, {dict(node.kwargs)}"
        )
    _replace(node, kinds[len(found)](1), traced)
    if not given.get("keepdim", False):
        name = f"{FUNCTIONS}.{node.name}_flatten"
        traced.add_submodule(name, nn.Flatten())
        with traced.graph.inserting_after(node):
            flat = traced.graph.call_module(name, (node,))
        for user in [user for user in node.users if user is not flat]:
            user.replace_input_with(node, flat)


_SPACE = ((2, 3), (-2, -1), (2,), (-1,))


def without_last_softmax(traced: fx.GraphModule) -> None:
    """Removes, in place, a softmax whose result is the network's: the class that it chooses is the
    same without.
    """
    (output,) = (node for node in traced.graph.nodes if node.op == "output")
    last = output.args[0]
    with rewriting(traced):
        while isinstance(last, fx.Node) and len(last.users) == 1 and _is_softmax(last, traced):
            (source,) = last.all_input_nodes
            if source.op == "placeholder":
                break
            last.replace_all_uses_with(source)
            traced.graph.erase_node(last)
            last = source
            without_dead_code(traced)


def _is_softmax(node: fx.Node, traced: fx.GraphModule) -> bool:
    """Whether a node is a softmax of features [N, F], or its logarithm."""
    if node.op == "call_module":
        module = module_at(traced, str(node.target))
        return isinstance(module, (nn.Softmax, nn.LogSoftmax)) and module.dim in (1, -1, None)
    if node.target not in _SOFTMAX:
        return False
    dim = node.args[1] if len(node.args) > 1 else node.kwargs.get("dim")
    return dim in (1, -1, None)


_SOFTMAX = (
    *(functional.softmax, functional.log_softmax, torch.softmax, torch.log_softmax),
    *("softmax", "log_softmax"),
)


def _clamp(min: float | None = None, max: float | None = None) -> nn.Module:  # noqa: A002 - torch's names
    if max is None and min == 0:
        return nn.ReLU()
    if min is None or max is None:
        raise UnsupportedError(
            f"must have the limit 0 below, or two limits, but got {min} and {max}"
        )
    return nn.ReLU6() if (min, max) == (0, 6) else nn.Hardtanh(float(min), float(max))


def _pad(pad: Sequence[int], mode: str = "constant", value: float | None = None) -> nn.Module:
    if mode != "constant" or value not in (None, 0):
        raise UnsupportedError(
            f"must pad with zeros, mode 'constant' and value 0, but has {mode!r}, {value!r}"
        )
    if len(pad) not in (2, 4) or min(pad) < 0:
        raise UnsupportedError(
            f"must pad by 0 or more, (left, right, top, bottom), but by {tuple(pad)}"
        )
    return nn.ZeroPad2d((*pad, *[0] * (4 - len(pad))))  # type: ignore[arg-type]


def _interpolate(
    size: Any = None, scale_factor: Any = None, mode: str = "nearest", **others: Any
) -> nn.Module:
    if mode != "nearest":
        raise UnsupportedError(f"must repeat the nearest pixel, mode 'nearest', but has {mode!r}")
    if others.get("antialias"):
        raise UnsupportedError("must repeat the nearest pixel, but has antialias")
    return nn.UpsamplingNearest2d(size, scale_factor)


def _dropout(kind: Callable[[float], nn.Module]) -> Callable[..., nn.Module]:
    def made(p: float = 0.5, **_: Any) -> nn.Module:
        # Whatever `training` was while the network was traced: a module knows its own mode.
        return kind(p)

    return made


def _without_inplace(kind: Callable[..., nn.Module]) -> Callable[..., nn.Module]:
    def made(inplace: bool = False, **given: Any) -> nn.Module:  # noqa: ARG001 - the graph has no use for it
        return kind(**given)

    return made


_POOL = ("kernel_size", "stride", "padding")
_MAX = (*_POOL, "dilation", "ceil_mode", "return_indices")
_MEAN = (*_POOL, "ceil_mode", "count_include_pad", "divisor_override")
_DROPOUT = ("p", "training", "inplace")

_FORMS: Mapping[object, _Form] = {
    **dict.fromkeys((functional.max_pool2d, torch.max_pool2d), _Form(_MAX, nn.MaxPool2d)),
    **dict.fromkeys((functional.max_pool1d, torch.max_pool1d), _Form(_MAX, nn.MaxPool1d)),
    functional.avg_pool1d: _Form(_MEAN[:-1], nn.AvgPool1d),
    functional.avg_pool2d: _Form(_MEAN, nn.AvgPool2d),
    functional.adaptive_avg_pool1d: _Form(("output_size",), nn.AdaptiveAvgPool1d),
    functional.adaptive_max_pool1d: _Form(("output_size", "return_indices"), nn.AdaptiveMaxPool1d),
    functional.adaptive_avg_pool2d: _Form(("output_size",), nn.AdaptiveAvgPool2d),
    functional.adaptive_max_pool2d: _Form(("output_size", "return_indices"), nn.AdaptiveMaxPool2d),
    functional.pad: _Form(("pad", "mode", "value"), _pad),
    functional.interpolate: _Form(
        (
            *("size", "scale_factor", "mode", "align_corners"),
            *("recompute_scale_factor", "antialias"),
        ),
        _interpolate,
    ),
    functional.dropout: _Form(_DROPOUT, _dropout(nn.Dropout)),
    functional.dropout1d: _Form(_DROPOUT, _dropout(nn.Dropout1d)),
    functional.dropout2d: _Form(_DROPOUT, _dropout(nn.Dropout2d)),
    **dict.fromkeys(
        (torch.clamp, torch.clip, "clamp", "clamp_", "clip"), _Form(("min", "max"), _clamp)
    ),
    functional.hardtanh: _Form(("min_val", "max_val", "inplace"), _without_inplace(nn.Hardtanh)),
    functional.leaky_relu: _Form(("negative_slope", "inplace"), _without_inplace(nn.LeakyReLU)),
    functional.elu: _Form(("alpha", "inplace"), _without_inplace(nn.ELU)),
    functional.celu: _Form(("alpha", "inplace"), _without_inplace(nn.CELU)),
    functional.selu: _Form(("inplace",), _without_inplace(nn.SELU)),
    functional.softplus: _Form(("beta", "threshold"), nn.Softplus),
    functional.softsign: _Form((), nn.Softsign),
    functional.logsigmoid: _Form((), nn.LogSigmoid),
}
"""The form of each function, and of each method by its name."""

_MEANS = {1: nn.AdaptiveAvgPool1d, 2: nn.AdaptiveAvgPool2d}
_MAXIMA = {1: nn.AdaptiveMaxPool1d, 2: nn.AdaptiveMaxPool2d}

_REDUCTIONS: Mapping[object, Mapping[int, type[nn.Module]]] = {
    **dict.fromkeys((torch.mean, "mean"), _MEANS),
    **dict.fromkeys((torch.amax, "amax"), _MAXIMA),
}
"""What pools all pixels instead of each reduction, by the number of dimensions that it reduces."""
