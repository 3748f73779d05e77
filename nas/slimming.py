"""Training towards channels that can be spared."""

from torch import Tensor, nn

from nas.train import Loss


def with_gain_penalty(loss: Loss, model: nn.Module, strength: float) -> Loss:
    """`loss` + strength · Σ |γ| over the gains of the batch normalisation of `model` (network slimming, Liu et al., 2017)."""
    norms = [module for module in model.modules() if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d))]
    gains = [norm.weight for norm in norms if norm.weight is not None]
    if strength == 0.0 or not gains:
        return loss

    def penalised(logits: Tensor, labels: Tensor, index: Tensor) -> Tensor:
        total: Tensor = loss(logits, labels, index)
        for gain in gains:
            total = total + strength * gain.abs().sum()
        return total

    return penalised
