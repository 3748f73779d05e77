"""Feature selection: the network reads only the most informative input features."""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from nas.data import Split
from nas.layers import layers_at
from nas.quantize import Select

FeatureScores = NDArray[np.float64]
FeatureLabels = NDArray[np.int64] | NDArray[np.float32]
FeatureCriterion = Callable[[FeatureScores, FeatureLabels, np.random.Generator], FeatureScores]
"""From features [N, F] and classes [N], integers, or targets [N], floats, to a score of each feature, [F]:
higher is more informative.
"""


def mutual_information(
    features: FeatureScores, labels: FeatureLabels, rng: np.random.Generator
) -> FeatureScores:
    """The mutual information of each feature with the class or the target, in nats, estimated from
    nearest neighbors (Ross, 2014; Kraskov et al., 2004).
    """
    # Imported where it is used, because importing scikit-learn is slow.
    from sklearn.feature_selection import mutual_info_classif, mutual_info_regression

    information = mutual_info_regression if labels.dtype.kind == "f" else mutual_info_classif
    scores: FeatureScores = information(features, labels, random_state=_seed(rng))
    return scores


def l1(features: FeatureScores, labels: FeatureLabels, rng: np.random.Generator) -> FeatureScores:
    """The largest weight of each standardized feature in an L1-penalized logistic regression
    (Tibshirani, 1996), for classes only.

    Raises:
        ValueError: if labels are targets.
    """
    if labels.dtype.kind == "f":
        raise ValueError(
            "labels must be classes for l1, but are targets: mutual_information and tree_importance take them"
        )
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    scaled = StandardScaler().fit_transform(features)
    model = LogisticRegression(
        l1_ratio=1.0, C=0.1, solver="saga", max_iter=5000, random_state=_seed(rng)
    )
    scores: FeatureScores = np.abs(model.fit(scaled, labels).coef_).max(0)
    return scores


def tree_importance(
    features: FeatureScores, labels: FeatureLabels, rng: np.random.Generator
) -> FeatureScores:
    """The mean decrease in impurity of each feature in 200 extremely randomized trees (Geurts et
    al., 2006).
    """
    from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor

    trees = ExtraTreesRegressor if labels.dtype.kind == "f" else ExtraTreesClassifier
    forest = trees(200, random_state=_seed(rng)).fit(features, labels)
    scores: FeatureScores = forest.feature_importances_
    return scores


def _seed(rng: np.random.Generator) -> int:
    return int(rng.integers(2**31))


def ranked(train: Split, criterion: FeatureCriterion, rng: np.random.Generator) -> tuple[int, ...]:
    """The indices of the features of training samples, [N, …] flattened, by falling score; of several
    targets by that of their mean.
    """
    features = train.inputs.flatten(1).numpy().astype(np.float64)
    labels = train.labels if train.labels.ndim == 1 else train.labels.mean(1)
    scores = criterion(features, labels.numpy(), rng)
    return tuple(int(index) for index in np.argsort(-scores, kind="stable"))


@dataclass(frozen=True)
class FeatureSelection:
    """Limits the first layer at a site to the chosen number of features, the first ones of `order`.

    The layer becomes a `Select` and a smaller linear layer, submodules 0 and 1 under its name; the
    packed file gathers only these inputs. Apply it after channel pruning.

    Args:
        order: the indices of all features, the most informative first, as `ranked` returns them
        kind: the kind of choices that is applied

    Raises:
        ValueError: if `order` is not a permutation of the features.
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
