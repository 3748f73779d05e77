"""Bias correction: the mean error that quantization causes in each channel is subtracted."""

from collections.abc import Sequence

import torch
from torch import Tensor, fx, nn

from nas.layers import WeightLayer, forward_hooks
from nas.quantize.roles import Role, role


def correct_biases(quantized: nn.Module, floating: nn.Module, inputs: Tensor) -> None:
    """Shifts the biases of a quantized network, in place, so that its channels have the means of
    the float network.

    `floating` is the network that was quantized, and has layers of the same names; `inputs` is a
    batch [N, …]. Layers are corrected in order, each after those before it: the mean error of a
    channel is subtracted from the bias of the layer, or of the normalization behind it (Nagel et
    al., 2019). Of a layer that is called again, the first call counts. Each network runs once.

    Raises:
        ValueError: if `quantized` is not traced, or `floating` lacks one of its layers.
    """
    ends = list(channel_ends(quantized).items())
    known = dict(floating.named_modules())
    if missing := [end for _, end in ends if end not in known]:
        raise ValueError(
            f"the float network must have the layers of the quantized one, but lacks {missing}"
        )
    wanted = _means(floating, [end for _, end in ends], inputs)
    names = {quantized.get_submodule(end): (layer, end) for layer, end in ends}

    def correct(module: nn.Module, _: object, output: Tensor) -> Tensor | None:
        if module not in names:
            return None
        layer, end = names.pop(module)
        error = _mean(output) - wanted[end]
        _shift(quantized.get_submodule(layer), module, -error)
        # What the layers behind it would read if the network ran again.
        return output - error.view(-1, *[1] * (output.ndim - 2))

    with torch.no_grad(), forward_hooks((module, correct) for module in list(names)):
        quantized.eval()(inputs.clone())


def channel_ends(quantized: nn.Module) -> dict[str, str]:
    """The name of each layer of a quantized network, in order, with that of the normalization behind
    it or else its own.

    Raises:
        ValueError: if `quantized` is not traced.
    """
    if not isinstance(quantized, fx.GraphModule):
        raise ValueError(
            f"a quantized network must be traced by insert_quantizers(), but got a {type(quantized).__name__}"
        )
    found = dict[str, str]()
    for node in quantized.graph.nodes:
        if role(node, quantized) is Role.LAYER:
            behind = next(iter(node.users)) if len(node.users) == 1 else None
            normed = behind is not None and role(behind, quantized) is Role.NORM
            found.setdefault(
                str(node.target),
                str(behind.target if normed and behind is not None else node.target),
            )
    return found


def _means(model: nn.Module, names: Sequence[str], inputs: Tensor) -> dict[str, Tensor]:
    """The mean of each output channel of the named modules, [channels]."""
    found = dict[nn.Module, Tensor]()

    def record(module: nn.Module, _: object, output: Tensor) -> None:
        found.setdefault(module, _mean(output))

    modules = {name: model.get_submodule(name) for name in names}
    with torch.no_grad(), forward_hooks((module, record) for module in modules.values()):
        model.eval()(inputs.clone())
    return {name: found[module] for name, module in modules.items()}


def _mean(output: Tensor) -> Tensor:
    return output.transpose(0, 1).flatten(1).mean(1)


def _shift(layer: nn.Module, end: nn.Module, by: Tensor) -> None:
    """Adds to what `end` gives, [channels]: by its own bias, or by that of the layer before it."""
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
