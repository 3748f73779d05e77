"""Where the space's pruning ratios and bit-widths meet the compressors that apply them."""

import copy
from collections.abc import Hashable, Mapping, Sequence
from typing import Protocol

from torch import Tensor, nn

from nas.space import Design, present_name


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
    parts = [(name.rpartition("."), option) for name, option in Design(design).items()]
    return {site: option for (site, _, named), option in parts if named == present_name(kind)}


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
