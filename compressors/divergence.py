"""How far the output of a changed network is from that of the original."""

import torch
from torch import Tensor, nn

CHUNK = 256


def log_probabilities(model: nn.Module, images: Tensor) -> Tensor:
    """The logarithms of the probabilities that a network in evaluation mode gives to each class,
    [N, classes], in 64 bits: divergences of many bits are below what 32 bits tell from 0.
    """
    model.eval()
    with torch.inference_mode():
        logits = torch.cat([model(batch) for batch in torch.split(images, CHUNK)])
    return logits.double().log_softmax(1)


def divergence(wanted: Tensor, given: Tensor) -> float:
    """The mean divergence of Kullback and Leibler of log-probabilities `given` from `wanted`,
    [N, classes], in nats.
    """
    return float((wanted.exp() * (wanted - given)).sum(1).mean())
