"""Joins of channels in a normal form: paddings with channels of zeros, and parts that are one."""

import torch
from torch import fx
from torch.nn import functional

from nas.quantize.constants import ScalarAffine
from nas.quantize.select import Select


def with_joined_channels(traced: fx.GraphModule) -> None:
    """Makes paddings of images with channels of zeros, as in the shortcuts of the first residual
    networks (He et al., 2016), concatenations, and leaves out those of one tensor, in place.
    """
    for node in list(traced.graph.nodes):
        if node.target is functional.pad:
            _join(node, traced)
        elif node.target in (torch.cat, torch.concat):
            parts = node.args[0] if node.args else node.kwargs["tensors"]
            if not isinstance(parts, fx.Node) and len(parts) == 1:
                node.replace_all_uses_with(parts[0])
                traced.graph.erase_node(node)


def _join(node: fx.Node, traced: fx.GraphModule) -> None:
    """Makes a padding with zeros of images [N, C, H, W], (left, right, top, bottom, front, back), a
    concatenation with channels that are multiplied by 0, and a padding of what is left.
    """
    given = dict(zip(("pad", "mode", "value"), node.args[1:], strict=False)) | dict(node.kwargs)
    source, pad = node.args[0], given["pad"]
    if given.get("mode", "constant") != "constant" or given.get("value"):
        return
    if not isinstance(pad, (tuple, list)) or len(pad) != 6 or not all(map(_is_count, pad)):
        return
    parts = [source]
    for side, count in zip(("front", "back"), pad[4:], strict=True):
        if count:
            channels = f"{node.name}_{side}"
            with traced.graph.inserting_before(node):
                traced.add_submodule(f"{channels}_channels", Select([0] * count))
                selected = traced.graph.call_module(f"{channels}_channels", (source,))
                traced.add_submodule(f"{channels}_zeros", ScalarAffine(0.0, 0.0))
                zeros = traced.graph.call_module(f"{channels}_zeros", (selected,))
            parts = [zeros, *parts] if side == "front" else [*parts, zeros]
    if any(pad[:4]):
        with traced.graph.inserting_before(node):
            joined = traced.graph.call_function(torch.cat, (parts, 1))
        node.args = (joined, tuple(pad[:4]))
    else:
        node.target, node.args = torch.cat, (parts, 1)
    node.kwargs = {}


def _is_count(value: object) -> bool:
    return isinstance(value, int) and value >= 0
