"""Folding of batch normalization into the layers before it."""

import copy

import torch
from torch import Tensor, fx, nn
from torch.nn.utils import fuse_conv_bn_eval, fuse_linear_bn_eval

from nas.layers import WeightLayer
from nas.mask import mask_of
from nas.quantize.insert import traced_network
from nas.quantize.quantized_layers import integer_layer
from nas.quantize.roles import Role, role
from nas.tracing import UnsupportedError, check_same_outputs, independent_copy


def folded(model: nn.Module, example: Tensor | None = None) -> fx.GraphModule:
    """A traced copy of a network with the same outputs, in evaluation mode, without the batch
    normalization that follows a layer which is called once and which nothing else reads; each layer
    has parameters of its own. A softmax at the end is left out.

    The outputs are compared on `example`, a batch [N, …], where it is given.

    Raises:
        UnsupportedError: if torch.fx cannot trace the network, the weights of such a layer share a
            codebook, or the outputs differ.
    """
    original = independent_copy(model).eval()
    traced = traced_network(copy.deepcopy(original), example)
    _untie(traced)
    targets = [node.target for node in traced.graph.nodes if node.op == "call_module"]
    for node in list(traced.graph.nodes):
        if role(node, traced) is Role.NORM:
            before = node.all_input_nodes[0]
            if (
                role(before, traced) is not Role.LAYER
                or len(before.users) > 1
                or targets.count(before.target) > 1
            ):
                continue
            layer, norm = (
                traced.get_submodule(str(before.target)),
                traced.get_submodule(str(node.target)),
            )
            assert isinstance(norm, (nn.BatchNorm1d, nn.BatchNorm2d))
            assert isinstance(layer, WeightLayer)
            if integer_layer(layer).entries is not None:
                raise UnsupportedError(
                    f"batch normalization must be folded before weights share values, but those of {str(before.target)!r} do"
                )
            if norm.weight is None:  # torch's fusion needs one
                norm.weight, norm.bias = (
                    nn.Parameter(torch.ones(norm.num_features)),
                    nn.Parameter(torch.zeros(norm.num_features)),
                )
            fused = (
                fuse_linear_bn_eval(layer, norm)
                if isinstance(layer, nn.Linear)
                else fuse_conv_bn_eval(layer, norm)
            )
            if (mask := mask_of(fused)) is not None:
                assert isinstance(fused.weight, nn.Parameter)
                mask.follow(fused.weight)  # the copied mask still keeps the weights before fusion
            traced.set_submodule(str(before.target), fused)
            node.replace_all_uses_with(before)
            traced.graph.erase_node(node)
    traced.delete_all_unused_submodules()
    traced.recompile()
    if example is not None:
        check_same_outputs(traced_network(original, example), traced, example, "folded")
    return traced


def _untie(traced: fx.GraphModule) -> None:
    """Gives modules that have a parameter together one each: what is changed in one is not to change
    the other.
    """
    seen = set[nn.Parameter]()
    for module in traced.modules():
        for name, parameter in list(module.named_parameters(recurse=False)):
            if parameter in seen:
                own = nn.Parameter(parameter.detach().clone(), parameter.requires_grad)
                setattr(module, name, own)
                if name == "weight" and (mask := mask_of(module)) is not None:
                    mask.follow(own)
            seen.add(parameter)
