"""How far the output of a changed network is from that of the original."""

from torch import Tensor, nn

from nas.quality import TaskKind
from nas.training.fit import logits
from nas.training.two_logits import two_logits


def log_probabilities(model: nn.Module, inputs: Tensor) -> Tensor:
    """The logarithms of the probabilities that a network in evaluation mode gives to each class,
    [N, classes], in 64 bits: divergences of many bits are below what 32 bits tell from 0. One logit
    gives two classes.
    """
    outputs = logits(model, inputs).double()
    return (two_logits(outputs) if outputs.shape[1] == 1 else outputs).log_softmax(1)


def divergence(wanted: Tensor, given: Tensor) -> float:
    """The mean divergence of Kullback and Leibler of log-probabilities `given` from `wanted`,
    [N, classes], in nats.
    """
    return float((wanted.exp() * (wanted - given)).sum(1).mean())


def answers(model: nn.Module, inputs: Tensor, kind: TaskKind) -> Tensor:
    """What a network for a task of this kind says, as `difference` compares it, in 64 bits."""
    if kind == "regression":
        return logits(model, inputs).double()
    return log_probabilities(model, inputs)


def difference(wanted: Tensor, given: Tensor, kind: TaskKind) -> float:
    """The mean squared difference of a regression's outputs, and the divergence of others."""
    if kind == "regression":
        return float(((wanted - given) ** 2).mean())
    return divergence(wanted, given)
