"""Unstructured pruning: single weights are set to zero and stay zero; zeros make files smaller."""

import math
import re
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from compressors.criteria import L1, L2, PruningCriterion, check_threshold
from compressors.left_alone import warn_of_left_alone
from compressors.schedules import one_shot
from nas.layers import WeightLayer, layers_at, named_layers
from nas.mask import Schedule, WeightMask, mask_of
from nas.tracing import independent_copy


@dataclass(frozen=True)
class WeightPruning:
    """Sets the least important weights of the layers at each site to zero, and keeps them zero.

    A ratio r leaves n - floor(r · n) of the n weights of each layer; "N:M" leaves N of every M
    neighbors along the input dimension (Mishra et al., 2021). If two sites cover the same layer,
    the inner one decides.

    Args:
        criterion: the importance of single weights
        schedule: when weights are removed during the training that follows. A schedule that does
            not begin with 1 is gradual: weights are removed by their magnitudes at the time
        kind: the kind of choices that is applied

    Raises:
        ValueError: if the criterion has no scores of single weights, or the schedule is gradual and
            the criterion is not a magnitude.
    """

    criterion: PruningCriterion = L1
    schedule: Schedule = one_shot
    kind: str = "sparsity"

    def __post_init__(self) -> None:
        if not self.criterion.single_weights:
            raise ValueError(
                f"a criterion must score single weights, as l1, l2, taylor and random do, but got {self.criterion.name!r}"
            )
        if self.schedule(0.0) < 1.0 and self.criterion.name not in (L1.name, L2.name):
            raise ValueError(
                f"the criterion of a gradual schedule must be l1 or l2, but got {self.criterion.name!r}"
            )

    def apply(
        self, model: nn.Module, settings: Mapping[str, Hashable], example: Tensor
    ) -> nn.Module:
        """The network with a mask in each layer.

        Raises:
            ValueError: if a setting is neither a ratio in [0, 1) nor "N:M" with 1 <= N < M, M does
                not divide the inputs of a layer, in each group, or a layer has a mask already.
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
    """A copy of `model` with some weights at zero: a ratio or "N:M" is for every layer, a mapping
    has one for each site.

    >>> model = nn.Sequential(nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, 2))
    >>> sparsities(sparsify(model, {"0": 0.75, "2": "2:4"}, torch.rand(4, 16)))
    {'0': 0.75, '2': 0.5}

    `example` is a batch of inputs, [N, …]. Layers that are left as they are, are named in a warning.
    Training by nas.training.fit.fit keeps the zeros;
    another training loop must call `after_step` of each mask after every step.

    Raises:
        ValueError: as WeightPruning does.
    """
    settings = ratio if isinstance(ratio, Mapping) else {"": ratio}
    sparse = WeightPruning(criterion, schedule).apply(independent_copy(model), settings, example)
    if not isinstance(ratio, Mapping):
        warn_of_left_alone("sparsify", sparse)
    return sparse


def sparsify_globally(
    model: nn.Module,
    ratio: float,
    example: Tensor,
    *,
    criterion: PruningCriterion = L1,
    sites: Sequence[str] = ("",),
) -> nn.Module:
    """A copy of `model` with floor(ratio · N) of the N weights at the sites at zero, the least
    important of all layers together.

    Importances are relative to the mean of their layer. Every layer keeps at least one weight.
    `example` is a batch of inputs, [N, …].

    Raises:
        ValueError: as WeightPruning does, or if the ratio leaves less than one weight in each
            layer.
    """
    _check_ratio(ratio, "all sites together")
    model, scores = _copy_with_scores(model, example, criterion, sites)
    total = sum(score.numel() for score in scores.values())
    count = math.floor(ratio * total)
    if total - count < len(scores):
        raise ValueError(
            f"a ratio must leave a weight in each of {len(scores)} layers, but {ratio} removes {count} of {total}"
        )
    relative = [score.flatten() / score.mean().clamp_min(1e-30) for score in scores.values()]
    for values in relative:
        values[values.argmax()] = math.inf
    removed = torch.cat(relative).argsort(stable=True)[:count]
    owner = torch.arange(len(relative)).repeat_interleave(
        torch.tensor([len(values) for values in relative])
    )
    counts = owner[removed].bincount(minlength=len(relative)).tolist()
    for (layer, score), lost in zip(scores.items(), counts, strict=True):
        _mask(layer, score, score.numel() - lost, None, one_shot)
    return model


def sparsify_below(
    model: nn.Module,
    threshold: float,
    example: Tensor,
    *,
    criterion: PruningCriterion = L1,
    sites: Sequence[str] = ("",),
) -> nn.Module:
    """A copy of `model` with the weights at the sites at zero whose importance is below
    `threshold`.

    `example` is a batch of inputs, [N, …].

    Raises:
        ValueError: as WeightPruning does, if the threshold is not positive and finite, or if a
            layer would lose all weights.
    """
    check_threshold(threshold)
    model, scores = _copy_with_scores(model, example, criterion, sites)
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
    """The share of the weights of each convolution and linear layer that are 0, by name."""
    layers = named_layers(model).items()
    return {name: float((layer.weight == 0).double().mean()) for name, layer in layers}


def _copy_with_scores(
    model: nn.Module, example: Tensor, criterion: PruningCriterion, sites: Sequence[str]
) -> tuple[nn.Module, dict[WeightLayer, Tensor]]:
    """A copy of the network, and the importances of the weights of each layer at the sites."""
    WeightPruning(criterion)  # refuses a criterion without scores of single weights
    model = independent_copy(model)
    scores = criterion.judged(model, example)
    layers = dict.fromkeys(layer for site in sites for layer in layers_at(model, site).values())
    return model, {layer: scores[layer, "made"] for layer in layers}


def _mask(
    layer: WeightLayer, scores: Tensor, keep: int, block: int | None, schedule: Schedule
) -> None:
    if mask_of(layer) is not None:
        raise ValueError(
            "the weights of a layer can be pruned once, but this one has a mask already"
        )
    assert isinstance(layer.weight, nn.Parameter)
    layer.add_module("mask", WeightMask(layer.weight, scores, keep, block, schedule))


def _kept(setting: Hashable, weight: Tensor, site: str, name: str) -> tuple[int, int | None]:
    """How many weights are kept, and in every how many: None stands for the whole layer."""
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
