"""Low-rank factorization: layers become thinner ones that compute nearly the same."""

from collections.abc import Hashable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from torch import Tensor, nn

from compressors.factors import Method, Rank, by_ratio, factorized, is_grouped
from compressors.left_alone import warn_of_left_alone
from nas.layers import WeightLayer, layers_at, named_layers, replace_modules
from nas.tracing import check_plain, independent_copy


@dataclass(frozen=True)
class LowRank:
    """Factorizes the layers at each site to the chosen share of their full rank; 1 leaves a layer
    as it is.

    Convolutions in groups stay as they are, and so does a layer whose factors would not have fewer
    weights. The factors are submodules 0, 1, … under the name of the layer, so choices at its site
    apply to all of them.

    Args:
        method: how convolutions are factorized: "spatial" or "tucker", see `factorized`
        kind: the kind of choices that is applied
    """

    method: Method = "spatial"
    kind: str = "rank"

    def apply(
        self,
        model: nn.Module,
        settings: Mapping[str, Hashable],
        example: Tensor,  # noqa: ARG002
    ) -> nn.Module:
        """The network with factors in the place of layers.

        Raises:
            ValueError: if a ratio is not in (0, 1], or a site has only convolutions in groups.
            UnsupportedError: if a layer computes something else than torch's class of it.
        """
        chosen: dict[str, tuple[WeightLayer, Rank | None]] = {}
        for site in sorted(settings, key=len):
            ratio = settings[site]
            rank = by_ratio(ratio)
            layers = {
                name: layer
                for name, layer in layers_at(model, site).items()
                if not is_grouped(layer)
            }
            if not layers:
                raise ValueError(
                    f"a site must hold a layer without groups to have a rank, but {site!r} has none"
                )
            chosen |= {
                name: (layer, None if ratio == 1 else rank) for name, layer in layers.items()
            }
        replacements = dict[nn.Module, nn.Module]()
        for name, (layer, wanted) in chosen.items():
            if wanted is not None:
                check_plain(layer, name)
                replacements[layer] = factorized(layer, wanted, self.method)
        return replace_modules(model, replacements)


def factorizable(model: nn.Module, ratio: float, method: Method = "spatial") -> list[str]:
    """The names of the layers whose factors at the share `ratio` of the full rank have fewer
    weights.

    >>> factorizable(nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 1)), 0.5)
    ['0']

    Raises:
        ValueError: if the ratio is not in (0, 1].
    """
    rank, found = by_ratio(ratio), list[str]()
    for name, layer in named_layers(independent_copy(model)).items():
        with suppress(ValueError):
            found += [name] if factorized(layer, rank, method) is not layer else []
    return found


def factorize(model: nn.Module, rank: Rank, method: Method = "spatial") -> nn.Module:
    """A copy of a network with every linear layer and every convolution without groups factorized;
    see `factorized`.

    Layers that are left as they are, because their factors would not have fewer weights or they
    share no rank, are named in a warning.

    >>> from compressors.factors import by_ratio
    >>> model = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
    >>> [weight.numel() for weight in factorize(model, by_ratio(0.25)).parameters() if weight.ndim == 2]
    [512, 256, 64, 20]

    Raises:
        UnsupportedError: if a layer computes something else than torch's class of it.
    """
    model = independent_copy(model)
    replacements, unchanged = dict[nn.Module, nn.Module](), list[str]()
    for name, layer in named_layers(model).items():
        factors = layer if is_grouped(layer) else factorized(layer, rank, method)
        if factors is layer:
            unchanged.append(name)
        else:
            check_plain(layer, name)
            replacements[layer] = factors
    warn_of_left_alone("factorize", model, unchanged)
    return replace_modules(model, replacements)
