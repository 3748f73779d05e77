"""Sizes of images as numbers, where calls are given them: paddings and enlargements to the size of another."""

from collections.abc import Collection
from typing import Any

import torch
from torch import Tensor, fx

from nas.quantize.rearrangements import is_size


def with_known_sizes(traced: fx.GraphModule, example: Tensor, targets: Collection[object]) -> None:
    """Makes sizes that calls of `targets` are given numbers, in place: those that are the same for one
    and for two samples of `example`, a batch [N, …].
    """
    calls = [
        node
        for node in traced.graph.nodes
        if node.op in ("call_function", "call_method")
        and node.target in targets
        and any(map(is_size, node.all_input_nodes))
    ]
    if not calls:
        return
    one, two = (_sizes(traced, example[[0] * count]) for count in (1, 2))
    known = {node: size for node, size in one.items() if size == two.get(node)}
    for call in calls:
        call.args, call.kwargs = fx.map_arg(
            (call.args, call.kwargs), lambda node: known.get(node, node)
        )


def _sizes(traced: fx.GraphModule, inputs: Tensor) -> dict[fx.Node, Any]:
    """What each node gives that computes a size."""
    found = dict[fx.Node, Any]()

    class Sizes(fx.Interpreter):
        def run_node(self, n: fx.Node) -> Any:
            value = super().run_node(n)
            if is_size(n):
                found[n] = tuple(value) if isinstance(value, torch.Size) else value
            return value

    with torch.no_grad():
        Sizes(traced).run(inputs.clone())
    return found
