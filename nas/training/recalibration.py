"""Statistics of batch normalization, measured anew."""

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


def recalibrate(model: nn.Module, inputs: Tensor) -> None:
    """Sets the running statistics of batch normalization in place to those of `inputs`, [N, …], as is
    done where weights come from networks of other widths (Yu & Huang, 2019).

    The network is in training mode afterwards.
    """
    layers = [each for each in model.modules() if isinstance(each, _BatchNorm)]
    moments = [each.momentum for each in layers]
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None  # the mean of all batches, of which there is one
    model.train()
    if layers:
        with torch.no_grad():
            model(inputs.clone())  # which the network may change
    for layer, momentum in zip(layers, moments, strict=True):
        layer.momentum = momentum
