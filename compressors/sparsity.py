"""Unstructured pruning: single weights are set to zero and stay there, which a packed file makes
use of.
"""

import copy
import math
import re
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from compressors.criteria import L1, L2, PruningCriterion, check_threshold
from compressors.schedules import one_shot
from nas.layers import WeightLayer, layers_at
from nas.mask import Schedule, WeightMask, mask_of


@dataclass(frozen=True)
class WeightPruning:
    """Sets the chosen weights of the layers at each site to zero, those of least importance first,
    and keeps them there.

    A ratio r leaves n - floor(r · n) of the n weights of each layer; "N:M" leaves N of every M that
    are neighbors along the input dimension (Mishra et al., 2021). A schedule that does not begin
    with 1 removes weights while the network is trained on, by their magnitudes at the time. Where
    two sites hold the same layer, the inner one decides.

    Raises:
        ValueError: if the criterion does not judge single weights, or is not a magnitude and the
            schedule is gradual.
    """

    criterion: PruningCriterion = L1
    schedule: Schedule = one_shot
    kind: str = "sparsity"

    def __post_init__(self) -> None:
        if not self.criterion.single_weights:
            raise ValueError(
                f"a criterion must judge single weights, as l1, taylor and random do, but got {self.criterion.name!r}"
            )
        if self.schedule(0.0) < 1.0 and self.criterion.name not in (L1.name, L2.name):
            raise ValueError(
                f"weights that go while training goes on are chosen by magnitude, but got {self.criterion.name!r}"
            )

    def apply(
        self, model: nn.Module, settings: Mapping[str, Hashable], example: Tensor
    ) -> nn.Module:
        """The network with a mask in each layer.

        Raises:
            ValueError: if a setting is neither a ratio in [0, 1) nor "N:M" with 1 <= N < M, or M
                does not divide the inputs of a layer, in each group.
        """
        chosen: dict[WeightLayer, tuple[int, int | None]] = {}
        for site in sorted(settings, key=len):
            for name, layer in layers_at(model, site).items():
                chosen[layer] = _kept(settings[site], layer.weight, site, name)
        scores = self.criterion.judged(model, example)
        for layer, (keep, block) in chosen.items():
            if keep < (block or scores[layer, "made"].numel()):
                _mask(layer, scores[layer, "made"], keep, block, self.schedule)
        return model


def sparsify(
    model: nn.Module,
    ratio: float | str | Mapping[str, float | str],
    example: Tensor,
    *,
    criterion: PruningCriterion = L1,
    schedule: Schedule = one_shot,
) -> nn.Module:
    """A copy of `model` without a share of the weights of every layer, or of those at each site;
    "N:M" is a share too.

    >>> model = nn.Sequential(nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, 2))
    >>> sparsities(sparsify(model, {"0": 0.75, "2": "2:4"}, torch.rand(4, 16)))
    {'0': 0.75, '2': 0.5}

    Trained on by nas.training.fit.fit, it stays as sparse; another loop calls `after_step` of
    each mask after every step.

    Raises:
        ValueError: as WeightPruning does.
    """
    settings = ratio if isinstance(ratio, Mapping) else {"": ratio}
    return WeightPruning(criterion, schedule).apply(copy.deepcopy(model), settings, example)


def sparsify_globally(
    model: nn.Module,
    ratio: float,
    example: Tensor,
    *,
    criterion: PruningCriterion = L1,
    sites: Sequence[str] = ("",),
) -> nn.Module:
    """A copy of `model` without floor(ratio · N) of the N weights at the sites: the least important
    of all layers together.

    Importances are compared in units of their layer's mean. Every layer keeps a weight.

    Raises:
        ValueError: as WeightPruning does, or if the ratio leaves less than one weight to each
            layer.
    """
    _check_ratio(ratio, "all sites together")
    model, scores = _judged(model, example, criterion, sites)
    total = sum(score.numel() for score in scores.values())
    count = math.floor(ratio * total)
    if total - count < len(scores):
        raise ValueError(
            f"a ratio must leave a weight to each of {len(scores)} layers, but {ratio} takes {count} of {total}"
        )
    relative = [score.flatten() / score.mean().clamp_min(1e-30) for score in scores.values()]
    for values in relative:
        values[values.argmax()] = math.inf
    removed = torch.cat(relative).argsort(stable=True)[:count]
    owner = torch.arange(len(relative)).repeat_interleave(
        torch.tensor([len(values) for values in relative])
    )
    lost = owner[removed].bincount(minlength=len(relative)).tolist()
    for (layer, score), less in zip(scores.items(), lost, strict=True):
        _mask(layer, score, score.numel() - less, None, one_shot)
    return model


def sparsify_below(
    model: nn.Module,
    threshold: float,
    example: Tensor,
    *,
    criterion: PruningCriterion = L1,
    sites: Sequence[str] = ("",),
) -> nn.Module:
    """A copy of `model` without the weights at the sites whose importance is below `threshold`.

    Raises:
        ValueError: as WeightPruning does, if the threshold is not a positive number, or if a layer
            would lose all weights.
    """
    check_threshold(threshold)
    model, scores = _judged(model, example, criterion, sites)
    names = {module: name for name, module in model.named_modules()}
    for layer, score in scores.items():
        if float(score.max()) < threshold:
            best = float(score.max())
            raise ValueError(
                f"a threshold must be at most {best:g} to leave a weight at {names[layer]!r}, but is {threshold}"
            )
        _mask(layer, score, int((score >= threshold).sum()), None, one_shot)
    return model


def sparsities(model: nn.Module) -> dict[str, float]:
    """The share of the weights of each convolution and linear layer that is 0, by name."""
    layers = (
        (name, module) for name, module in model.named_modules() if isinstance(module, WeightLayer)
    )
    return {name: float((layer.weight == 0).double().mean()) for name, layer in layers}


def _judged(
    model: nn.Module, example: Tensor, criterion: PruningCriterion, sites: Sequence[str]
) -> tuple[nn.Module, dict[WeightLayer, Tensor]]:
    """A copy, and the importances of the weights of each layer at the sites."""
    WeightPruning(criterion)
    model = copy.deepcopy(model)
    scores = criterion.judged(model, example)
    layers = dict.fromkeys(
        layer
        for site in sites
        for layer in layers_at(model, site).values()
        if isinstance(layer, WeightLayer)
    )
    return model, {layer: scores[layer, "made"] for layer in layers}


def _mask(
    layer: nn.Module, scores: Tensor, keep: int, block: int | None, schedule: Schedule
) -> None:
    assert isinstance(layer, WeightLayer)
    if mask_of(layer) is not None:
        raise ValueError("a layer can have one mask, but this one has a mask already")
    assert isinstance(layer.weight, nn.Parameter)
    layer.add_module("mask", WeightMask(layer.weight, scores, keep, block, schedule))


def _kept(setting: Hashable, weight: Tensor, site: str, name: str) -> tuple[int, int | None]:
    """How many weights stay of each block, or of all."""
    if not isinstance(setting, str):
        return weight.numel() - math.floor(_check_ratio(setting, site) * weight.numel()), None
    found = re.fullmatch(r"([1-9]\d*):([1-9]\d*)", setting)
    if found is None or not int(found[1]) < int(found[2]):
        raise ValueError(
            f'a sparsity must be a ratio in [0, 1) or "N:M" with 1 <= N < M, but got {setting!r} at {site!r}'
        )
    keep, block = int(found[1]), int(found[2])
    if weight.shape[1] % block:
        raise ValueError(
            f"{setting!r} at {site!r} needs a multiple of {block} inputs, but {name!r} has {weight.shape[1]}"
        )
    return keep, block


def _check_ratio(ratio: Hashable, site: str) -> float:
    if isinstance(ratio, bool) or not isinstance(ratio, (int, float)) or not 0.0 <= ratio < 1.0:
        raise ValueError(
            f'a sparsity must be a ratio in [0, 1) or "N:M" with 1 <= N < M, but got {ratio!r} at {site!r}'
        )
    return float(ratio)
