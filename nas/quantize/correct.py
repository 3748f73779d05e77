"""Bias correction: the mean error that rounding makes in each channel, taken off again."""

from collections.abc import Sequence

import torch
from torch import Tensor, fx, nn

from nas.layers import WeightLayer
from nas.quantize.roles import Role, role


def correct_biases(quantized: nn.Module, floating: nn.Module, inputs: Tensor) -> None:
    """Moves the biases of a quantized network, in place, to where its channels have the means that
    they have in floats.

    `floating` is the network that was quantized, and has layers of the same names. Layer by layer,
    those before corrected first, the expected error on `inputs`, a batch [N, …], is taken off the
    bias (Nagel et al., 2019), of the normalization behind the layer where there is one.

    Raises:
        ValueError: if `quantized` is not traced, or `floating` does not have its layers.
    """
    if not isinstance(quantized, fx.GraphModule):
        raise ValueError(
            f"a quantized network must be one that insert_quantizers() traced, but is a {type(quantized).__name__}"
        )
    ends = _ends(quantized)
    known = dict(floating.named_modules())
    if missing := [end for _, end in ends if end not in known]:
        raise ValueError(
            f"the network in floats must have the layers of the quantized one, but {missing} are missing"
        )
    wanted = _means(floating, [end for _, end in ends], inputs)
    for layer, end in ends:
        error = _means(quantized, [end], inputs)[end] - wanted[end]
        _shift(quantized.get_submodule(layer), quantized.get_submodule(end), -error)


def _ends(quantized: fx.GraphModule) -> list[tuple[str, str]]:
    """The name of each layer, and of the normalization behind it or else its own."""
    found = dict[str, str]()
    for node in quantized.graph.nodes:
        if role(node, quantized) is Role.LAYER:
            behind = next(iter(node.users), None)
            normed = behind is not None and role(behind, quantized) is Role.NORM
            found.setdefault(
                str(node.target),
                str(behind.target if normed and behind is not None else node.target),
            )
    return list(found.items())


def _means(model: nn.Module, names: Sequence[str], inputs: Tensor) -> dict[str, Tensor]:
    """The mean of each channel of what modules give, [channels]."""
    found = dict[str, Tensor]()
    hooks = []
    for name in names:

        def note(module: nn.Module, arguments: object, output: Tensor, name: str = name) -> None:  # noqa: ARG001 - torch's hook
            found[name] = output.transpose(0, 1).flatten(1).mean(1)

        hooks.append(model.get_submodule(name).register_forward_hook(note))
    with torch.no_grad():
        model.eval()(inputs)
    for hook in hooks:
        hook.remove()
    return found


def _shift(layer: nn.Module, end: nn.Module, by: Tensor) -> None:
    if isinstance(end, (nn.BatchNorm1d, nn.BatchNorm2d)):
        if end.bias is not None:
            end.bias.data.add_(by)
            return
        assert end.running_var is not None
        by = by * (end.running_var + end.eps).sqrt()
    assert isinstance(layer, WeightLayer)
    if layer.bias is None:
        layer.bias = nn.Parameter(torch.zeros_like(by))
    layer.bias.data.add_(by)
