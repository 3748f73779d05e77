"""How far the output of a changed network is from that of the original."""

from torch import Tensor, nn

from nas.training.fit import logits


def log_probabilities(model: nn.Module, inputs: Tensor) -> Tensor:
    """The logarithms of the probabilities that a network in evaluation mode gives to each class,
    [N, classes], in 64 bits: divergences of many bits are below what 32 bits tell from 0.
    """
    return logits(model, inputs).double().log_softmax(1)


def divergence(wanted: Tensor, given: Tensor) -> float:
    """The mean divergence of Kullback and Leibler of log-probabilities `given` from `wanted`,
    [N, classes], in nats.
    """
    return float((wanted.exp() * (wanted - given)).sum(1).mean())
