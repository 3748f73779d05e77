"""Low-rank factorization: layers become thinner ones that compute nearly the same."""

from collections.abc import Hashable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from torch import Tensor, nn

from compressors.factors import Method, Rank, by_ratio, factorized, is_grouped
from nas.layers import layers_at, named_layers, replace_modules


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
        """
        chosen: dict[nn.Module, Rank | None] = {}
        for site in sorted(settings, key=len):
            ratio = settings[site]
            rank = by_ratio(ratio)
            layers = [layer for layer in layers_at(model, site).values() if not is_grouped(layer)]
            if not layers:
                raise ValueError(
                    f"a site must hold a layer without groups to have a rank, but {site!r} has none"
                )
            chosen |= dict.fromkeys(layers, None if ratio == 1 else rank)
        replacements = {
            layer: factorized(layer, rank, self.method)
            for layer, rank in chosen.items()
            if rank is not None
        }
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
    for name, layer in named_layers(model).items():
        with suppress(ValueError):
            found += [name] if factorized(layer, rank, method) is not layer else []
    return found


def factorize(model: nn.Module, rank: Rank, method: Method = "spatial") -> nn.Module:
    """`model` with every linear layer and every convolution without groups factorized, in place;
    see `factorized`.

    >>> from compressors.factors import by_ratio
    >>> model = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
    >>> [weight.numel() for weight in factorize(model, by_ratio(0.25)).parameters() if weight.ndim == 2]
    [512, 256, 64, 20]
    """
    layers = [layer for layer in named_layers(model).values() if not is_grouped(layer)]
    return replace_modules(model, {layer: factorized(layer, rank, method) for layer in layers})
