"""Pruning criteria: the importance of channels and of single weights.

The header of a run describes a criterion by the names of its fields and of the functions that are
their values, so neither may be renamed: `judged`, `of_channel`, `single_weights`, `_powers`,
`_total` and the others.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
from torch import Tensor, nn

from nas.layers import WeightLayer, forward_hooks, named_layers
from nas.quantize.positive_norm import Norm
from nas.seeds import generator

Side = Literal["made", "read"]
"""The output channels of a layer, or its input channels."""

Importances = Mapping[tuple[nn.Module, Side], Tensor]
"""Scores of the output and of the input channels of each layer, [channels, …]."""

LossOf = Callable[[nn.Module], Tensor]
"""The loss of a network, a scalar, on samples and labels that the function holds itself."""


@dataclass(frozen=True)
class PruningCriterion:
    """How important channels, or single weights, are.

    The importance of a channel is the mean over the layers that write or read it.

    Args:
        name: how the criterion is called in error messages
        judged: from a network and a batch of inputs, [N, …], to scores of its layers
        of_channel: from the scores of each channel, [channels, n], to its importance, [channels]
        single_weights: whether the scores of output channels are one for each weight of the layer,
            in the shape of the weights and never negative
    """

    name: str
    judged: Callable[[nn.Module, Tensor], Importances]
    of_channel: Callable[[Tensor], Tensor]
    single_weights: bool = False


def _total(scores: Tensor) -> Tensor:
    return scores.sum(1)


def _mean(scores: Tensor) -> Tensor:
    return scores.mean(1)


def _distances(filters: Tensor) -> Tensor:
    return torch.cdist(filters, filters, compute_mode="donot_use_mm_for_euclid_dist").sum(1)


def _weighted(model: nn.Module) -> Iterator[tuple[str, nn.Module, Tensor]]:
    """Layers and normalizations, each with its name and its weights or gains."""
    for name, module in model.named_modules():
        if isinstance(module, WeightLayer | Norm) and module.weight is not None:
            yield name, module, module.weight


def _both_sides(scores: Mapping[nn.Module, Tensor]) -> dict[tuple[nn.Module, Side], Tensor]:
    sides: dict[tuple[nn.Module, Side], Tensor] = {
        (layer, "made"): score for layer, score in scores.items()
    }
    sides |= {
        (layer, "read"): score.transpose(0, 1) for layer, score in scores.items() if score.ndim > 1
    }
    return sides


def _powers(model: nn.Module, example: Tensor, power: int) -> Importances:  # noqa: ARG001 - other criteria need the example
    return _both_sides(
        {module: weight.detach().abs() ** power for _, module, weight in _weighted(model)}
    )


def _random(model: nn.Module, example: Tensor, seed: int) -> Importances:  # noqa: ARG001
    drawn = {
        module: generator(seed, "importance", name).random(weight.shape)
        for name, module, weight in _weighted(model)
    }
    return _both_sides(
        {module: torch.from_numpy(numbers).float() for module, numbers in drawn.items()}
    )


def _first_order(model: nn.Module, example: Tensor, loss: LossOf) -> Importances:  # noqa: ARG001
    found = [(module, weight) for _, module, weight in _weighted(model)]
    with torch.enable_grad():
        gradients = torch.autograd.grad(
            loss(model.eval()), [weight for _, weight in found], allow_unused=True
        )
    pairs = zip(found, gradients, strict=True)
    unused = torch.zeros(())
    return _both_sides(
        {
            module: (weight * (unused if gradient is None else gradient)).detach().abs()
            for (module, weight), gradient in pairs
        }
    )


def _filters(model: nn.Module, example: Tensor) -> Importances:  # noqa: ARG001
    return _both_sides({layer: layer.weight.detach() for layer in named_layers(model).values()})


def _gains(model: nn.Module, example: Tensor) -> Importances:  # noqa: ARG001
    return {
        (module, "made"): weight.detach().abs()
        for _, module, weight in _weighted(model)
        if isinstance(module, Norm)
    }


def _activity(model: nn.Module, example: Tensor) -> Importances:
    shares: dict[nn.Module, list[Tensor]] = {}

    def count(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:  # noqa: ARG001 - torch's signature
        channels = inputs[0].movedim(-1 if isinstance(layer, nn.Linear) else 1, 0).flatten(1)
        shares.setdefault(layer, []).append((channels != 0).float().mean(1))

    layers = named_layers(model).values()
    with forward_hooks((layer, count) for layer in layers), torch.no_grad():
        model.eval()(example.clone())
    return {(layer, "read"): torch.stack(found).mean(0) for layer, found in shares.items()}


L1 = PruningCriterion("l1", partial(_powers, power=1), _total, single_weights=True)
"""The sum of magnitudes (Li et al., 2017)."""

L2 = PruningCriterion("l2", partial(_powers, power=2), _total, single_weights=True)
"""The sum of squares, which orders channels as their L2 norms do."""

FPGM = PruningCriterion("fpgm", _filters, _distances)
"""The sum of distances to the other filters of the layer: a filter near their geometric median is
redundant (He et al., 2019).
"""

GAMMA = PruningCriterion("gamma", _gains, _mean)
"""The magnitude of the gain of batch normalization (network slimming, Liu et al., 2017)."""

APOZ = PruningCriterion("apoz", _activity, _mean)
"""1 - the average percentage of zeros of a channel on the example, at the inputs of the layers that
read it (Hu et al., 2016).
"""


def random(seed: int) -> PruningCriterion:
    """Random importances that follow from the seed and the names of the layers: a baseline."""
    return PruningCriterion("random", partial(_random, seed=seed), _total, single_weights=True)


def taylor(loss: LossOf) -> PruningCriterion:
    """The sum of `|w · ∂L/∂w|`, to first order how much the loss changes when a weight is removed
    (Molchanov et al., 2019).

    `loss` holds the samples and labels, as `partial(loss_on, inputs, labels)` of a function
    `loss_on(inputs, labels, model)` does. It is called in evaluation mode.
    """
    return PruningCriterion("taylor", partial(_first_order, loss=loss), _total, single_weights=True)


def check_threshold(threshold: float) -> None:
    """Refuses a threshold below which no importance, or every one, would lie.

    Raises:
        ValueError: if the threshold is not positive and finite.
    """
    if not 0.0 < threshold < math.inf:
        raise ValueError(f"a threshold must be positive and finite, but got {threshold}")
