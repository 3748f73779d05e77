"""Where the space's pruning ratios and bit-widths meet the compressors that apply them."""

import copy
from collections.abc import Hashable, Mapping, Sequence
from typing import Protocol

from torch import Tensor, nn


class Compressor(Protocol):
    """Applies the choices of one kind to a network."""

    @property
    def kind(self) -> str:
        """The kind of choices that this compressor applies."""
        ...

    def apply(
        self, model: nn.Module, settings: Mapping[str, Hashable], example: Tensor
    ) -> nn.Module:
        """The compressed network; `model` may be used up.

        `settings` has the chosen option for each site, the dotted name of a module in `model`.
        `example` is a batch of training inputs, for tracing and calibration. Widths and bit-widths
        must follow from `settings` alone, not from the weights: the cost of a candidate is counted
        before it is trained.
        """
        ...


def settings_of(design: Mapping[str, Hashable], kind: str) -> dict[str, Hashable]:
    """The part of a design that is of one kind, by site."""
    parts = {name: name.rpartition(".") for name in design}
    return {parts[name][0]: option for name, option in design.items() if parts[name][2] == kind}


def compress(
    model: nn.Module,
    design: Mapping[str, Hashable],
    compressors: Sequence[Compressor],
    example: Tensor,
) -> nn.Module:
    """A compressed copy of `model`: every compressor in turn, each with the choices of its kind."""
    model = copy.deepcopy(model)
    for compressor in compressors:
        settings = settings_of(design, compressor.kind)
        if settings:
            model = compressor.apply(model, settings, example)
    return model


def layers_at(model: nn.Module, site: str) -> dict[str, nn.Module]:
    """The convolutions and linear layers at or below a site, by all their dotted names in `model`.

    Raises:
        ValueError: if the site names no module, or there is no such layer.
    """
    modules = dict(model.named_modules(remove_duplicate=False))
    if site not in modules:
        raise ValueError(
            f"a site must name a module of the network, {[name for name in modules if name]}, but got {site!r}"
        )
    layers = (
        (name, module)
        for name, module in modules.items()
        if isinstance(module, (nn.Conv2d, nn.Linear))
    )
    found: dict[str, nn.Module] = {name: layer for name, layer in layers if _below(name, site)}
    if not found:
        raise ValueError(
            f"a site must hold a convolution or linear layer, but {site!r} is {modules[site]}"
        )
    return found


def _below(name: str, site: str) -> bool:
    return not site or name == site or name.startswith(site + ".")
