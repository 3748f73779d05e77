"""How much channels and single weights matter: pruning removes what matters least."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
from torch import Tensor, nn

from nas.seeds import generator

NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)

Side = Literal["made", "read"]
Importances = Mapping[tuple[nn.Module, Side], Tensor]
"""For the channels that a layer makes, and for those that it reads, what is judged: [channels, …].
"""
LossOf = Callable[[nn.Module], Tensor]
"""The loss of a network on samples and labels of the function's own, a scalar."""


@dataclass(frozen=True)
class PruningCriterion:
    """What is judged at each layer of a network on an example [N, …], and what that makes of a
    channel: [channels, n] → [channels].

    A group of tied layers has the mean of what its layers say. With `single_weights`, what is
    judged of the channels that a layer makes is one score, 0 or more, for each of its weights, in
    their shape.
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
    for name, module in model.named_modules():
        if isinstance(module, (nn.Conv2d, nn.Linear, *NORMS)) and module.weight is not None:
            yield name, module, module.weight


def _both_sides(scores: Mapping[nn.Module, Tensor]) -> dict[tuple[nn.Module, Side], Tensor]:
    sides: dict[tuple[nn.Module, Side], Tensor] = {
        (layer, "made"): score for layer, score in scores.items()
    }
    sides |= {
        (layer, "read"): score.transpose(0, 1) for layer, score in scores.items() if score.ndim > 1
    }
    return sides


def _powers(model: nn.Module, example: Tensor, power: int) -> Importances:  # noqa: ARG001 - others look at the example
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
    none = torch.zeros(())
    return _both_sides(
        {
            module: (weight * (none if grad is None else grad)).detach().abs()
            for (module, weight), grad in pairs
        }
    )


def _filters(model: nn.Module, example: Tensor) -> Importances:  # noqa: ARG001
    return _both_sides(
        {
            module: weight.detach()
            for _, module, weight in _weighted(model)
            if not isinstance(module, NORMS)
        }
    )


def _gains(model: nn.Module, example: Tensor) -> Importances:  # noqa: ARG001
    return {
        (module, "made"): weight.detach().abs()
        for _, module, weight in _weighted(model)
        if isinstance(module, NORMS)
    }


def _activity(model: nn.Module, example: Tensor) -> Importances:
    seen: dict[nn.Module, list[Tensor]] = {}

    def note(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        channels = inputs[0].movedim(-1 if isinstance(layer, nn.Linear) else 1, 0).flatten(1)
        seen.setdefault(layer, []).append((channels != 0).float().mean(1))

    layers = [module for module in model.modules() if isinstance(module, (nn.Conv2d, nn.Linear))]
    hooks = [layer.register_forward_pre_hook(note) for layer in layers]
    with torch.no_grad():
        model.eval()(example)
    for hook in hooks:
        hook.remove()
    return {(layer, "read"): torch.stack(shares).mean(0) for layer, shares in seen.items()}


L1 = PruningCriterion("l1", partial(_powers, power=1), _total, single_weights=True)
"""The sum of magnitudes (Li et al., 2017)."""

L2 = PruningCriterion("l2", partial(_powers, power=2), _total, single_weights=True)
"""The sum of squares, which orders channels as their L2 norms do."""

FPGM = PruningCriterion("fpgm", _filters, _distances)
"""The sum of distances to the layer's other filters: near their geometric median a filter can be
replaced (He et al., 2019).
"""

GAMMA = PruningCriterion("gamma", _gains, _mean)
"""The magnitude of the gain of batch normalization (network slimming, Liu et al., 2017)."""

APOZ = PruningCriterion("apoz", _activity, _mean)
"""1 - the average percentage of zeros among what the layers behind a channel read of it on the
example (Hu et al., 2016).
"""


def random(seed: int) -> PruningCriterion:
    """Any order; always the same for the same seed and names of layers, so that a compression can
    be repeated.
    """
    return PruningCriterion("random", partial(_random, seed=seed), _total, single_weights=True)


def taylor(loss: LossOf) -> PruningCriterion:
    """The sum of |w · ∂L/∂w|, what the loss changes by, to first order, without the weight
    (Molchanov et al., 2019).

    `loss` knows the samples and labels: `partial(loss_on, inputs, labels)` of a function
    `loss_on(inputs, labels, model)`. It is called in evaluation mode.
    """
    return PruningCriterion("taylor", partial(_first_order, loss=loss), _total, single_weights=True)


def check_threshold(threshold: float) -> None:
    """Refuses an importance below which nothing, or everything, would be.

    Raises:
        ValueError: if it is not positive and finite.
    """
    if not 0.0 < threshold < math.inf:
        raise ValueError(f"a threshold must be positive and finite, but got {threshold}")
