"""Batch normalization folded into the layers before it."""

import copy

import torch
from torch import fx, nn
from torch.nn.utils import fuse_conv_bn_eval, fuse_linear_bn_eval

from nas.mask import mask_of
from nas.quantize.insert import traced_network
from nas.quantize.roles import Role, UnsupportedError, role
from nas.quantize.shared import SharedConv2d, SharedLinear


def folded(model: nn.Module) -> fx.GraphModule:
    """A traced copy of a network, in evaluation mode and with the same outputs, whose layers have
    taken up normalization.

    Raises:
        UnsupportedError: if torch.fx cannot trace the network, or normalization does not follow a
            layer of its own.
    """
    traced = traced_network(copy.deepcopy(model).eval())
    targets = [node.target for node in traced.graph.nodes if node.op == "call_module"]
    for node in list(traced.graph.nodes):
        if role(node, traced) is Role.NORM:
            before = node.all_input_nodes[0]
            if (
                role(before, traced) is not Role.LAYER
                or len(before.users) > 1
                or targets.count(before.target) > 1
            ):
                raise UnsupportedError(
                    f"{str(node.target)!r}: batch normalization must follow a convolution or linear layer that nothing else reads "
                    "and that is called once"
                )
            layer, norm = (
                traced.get_submodule(str(before.target)),
                traced.get_submodule(str(node.target)),
            )
            assert isinstance(norm, (nn.BatchNorm1d, nn.BatchNorm2d))
            assert isinstance(layer, (nn.Conv2d, nn.Linear))
            if isinstance(layer, (SharedConv2d, SharedLinear)):
                raise UnsupportedError(
                    f"{str(before.target)!r}: fold normalization before weights share values, not after"
                )
            if norm.weight is None:  # which torch's fusion needs
                norm.weight, norm.bias = (
                    nn.Parameter(torch.ones(norm.num_features)),
                    nn.Parameter(torch.zeros(norm.num_features)),
                )
            fused = (
                fuse_conv_bn_eval(layer, norm)
                if isinstance(layer, nn.Conv2d)
                else fuse_linear_bn_eval(layer, norm)
            )
            if (mask := mask_of(fused)) is not None:
                assert isinstance(fused.weight, nn.Parameter)
                mask.follow(fused.weight)  # its copy still follows the weights before fusion
            traced.set_submodule(str(before.target), fused)
            node.replace_all_uses_with(before)
            traced.graph.erase_node(node)
    traced.delete_all_unused_submodules()
    traced.recompile()
    return traced
