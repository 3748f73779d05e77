"""Input features: the network reads only those that tell most about the classes."""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from nas.data import Split
from nas.layers import layers_at
from nas.quantize import Select

FeatureScores = NDArray[np.float64]
FeatureCriterion = Callable[[FeatureScores, NDArray[np.int64], np.random.Generator], FeatureScores]
"""From features [N, F] and classes [N] to how much each feature tells, [F]."""


def mutual_information(
    features: FeatureScores, labels: NDArray[np.int64], rng: np.random.Generator
) -> FeatureScores:
    """Each feature's own mutual information with the class, in nats, by nearest neighbors (Ross,
    2014).
    """
    from sklearn.feature_selection import (
        mutual_info_classif,
    )  # slow to import, as all of scikit-learn

    found: FeatureScores = mutual_info_classif(features, labels, random_state=_seed(rng))
    return found


def l1(
    features: FeatureScores, labels: NDArray[np.int64], rng: np.random.Generator
) -> FeatureScores:
    """The largest weight that an L1-penalized logistic regression (Tibshirani, 1996) on
    standardized features gives each.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    scaled = StandardScaler().fit_transform(features)
    model = LogisticRegression(
        l1_ratio=1.0, C=0.1, solver="saga", max_iter=5000, random_state=_seed(rng)
    )
    found: FeatureScores = np.abs(model.fit(scaled, labels).coef_).max(0)
    return found


def tree_importance(
    features: FeatureScores, labels: NDArray[np.int64], rng: np.random.Generator
) -> FeatureScores:
    """How much of the impurity each feature takes away in 200 extremely randomized trees (Geurts et
    al., 2006).
    """
    from sklearn.ensemble import ExtraTreesClassifier

    found: FeatureScores = (
        ExtraTreesClassifier(200, random_state=_seed(rng))
        .fit(features, labels)
        .feature_importances_
    )
    return found


def _seed(rng: np.random.Generator) -> int:
    return int(rng.integers(2**31))


def ranked(train: Split, criterion: FeatureCriterion, rng: np.random.Generator) -> tuple[int, ...]:
    """The features of training samples, [N, …] flattened, those that tell most first."""
    features = train.inputs.flatten(1).numpy().astype(np.float64)
    scores = criterion(features, train.labels.numpy(), rng)
    return tuple(int(index) for index in np.argsort(-scores, kind="stable"))


@dataclass(frozen=True)
class FeatureSelection:
    """Lets the first layer at a site read only so many features, the first ones of `order`.

    The layer becomes a `Select` and a smaller linear layer, called 0 and 1 below its name; the file
    gathers only these inputs. Apply it after channels were pruned.

    Raises:
        ValueError: if `order` is not every feature once.
    """

    order: tuple[int, ...]
    kind: str = "features"

    def __post_init__(self) -> None:
        if sorted(self.order) != list(range(len(self.order))) or not self.order:
            raise ValueError(
                f"an order must name each of the features 0 … {len(self.order) - 1} once, but is {self.order}"
            )

    def apply(
        self,
        model: nn.Module,
        settings: Mapping[str, Hashable],
        example: Tensor,  # noqa: ARG002
    ) -> nn.Module:
        """The network that reads fewer features.

        Raises:
            ValueError: if a number of features is out of range, or the first layer at a site does
                not read all of them.
        """
        for site, count in settings.items():
            if (
                isinstance(count, bool)
                or not isinstance(count, int)
                or not 1 <= count <= len(self.order)
            ):
                raise ValueError(
                    f"a number of features must be in 1 … {len(self.order)}, but got {count!r} at {site!r}"
                )
            name, layer = next(iter(layers_at(model, site).items()))
            if not isinstance(layer, nn.Linear) or layer.in_features != len(self.order):
                raise ValueError(
                    f"the first layer at {site!r} must be linear and read {len(self.order)} features, but is {layer}"
                )
            if count < len(self.order):
                model.set_submodule(name, _selecting(layer, sorted(self.order[:count])))
        return model


def _selecting(layer: nn.Linear, indices: list[int]) -> nn.Sequential:
    smaller = nn.Linear(
        len(indices), layer.out_features, bias=layer.bias is not None, device="meta"
    )
    smaller.weight = nn.Parameter(layer.weight.detach()[:, indices])
    smaller.bias = layer.bias
    return nn.Sequential(Select(indices), smaller)
