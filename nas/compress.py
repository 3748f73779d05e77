"""Compression: the choices of a design, applied to a network by compressors."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Protocol, runtime_checkable

from torch import Tensor, nn

from nas.space import Design, present_name
from nas.tracing import independent_copy


class Compressor(Protocol):
    """Applies the choices of one kind, such as pruning ratios or bit-widths, to a network."""

    @property
    def kind(self) -> str:
        """The kind of choices that the compressor applies: the last part of their names."""
        ...

    def apply(
        self, model: nn.Module, settings: Mapping[str, Hashable], example: Tensor
    ) -> nn.Module:
        """The compressed network, which may be `model` changed in place.

        `settings` has the chosen option for each site, the dotted name of a module in `model`.
        `example` is a batch of training inputs, [N, …], for tracing and calibration. Widths and
        bit-widths must follow from `settings` alone, not from weights, because the costs of a
        candidate are counted before it is trained.
        """
        ...


@runtime_checkable
class Requantizer(Protocol):
    """A compressor that can also change the bit-widths of a network that it has compressed."""

    @property
    def kind(self) -> str:
        """The kind of choices whose options are the bit-widths."""
        ...

    def requantize(self, model: nn.Module, settings: Mapping[str, Hashable]) -> None:
        """Gives the layers of `model`, compressed by `apply` and perhaps trained since, the bits of
        `settings`, in place. Layers whose bits stay are left as they are.
        """
        ...


@runtime_checkable
class Matcher(Protocol):
    """A compressor whose networks can be made good without training: by the means and spreads that
    their channels have in floats.
    """

    def match(self, model: nn.Module, floating: nn.Module, example: Tensor) -> None:
        """Gives the channels of `model`, compressed by `apply`, the statistics that they have in
        `floating` on `example`, [N, …], in place. No width and no bit-width changes.

        `floating` has the same channels in floats.
        """
        ...


def settings_of(design: Mapping[str, Hashable], kind: str) -> dict[str, Hashable]:
    """The options of one kind in a design, by site: the names of its choices without ".kind"."""
    parts = [(name.rpartition("."), option) for name, option in Design(design).items()]
    return {site: option for (site, _, named), option in parts if named == present_name(kind)}


def compress(
    model: nn.Module,
    design: Mapping[str, Hashable],
    compressors: Sequence[Compressor],
    example: Tensor,
) -> nn.Module:
    """A compressed copy of `model`, by each compressor in turn with the choices of its kind.

    `example` is a batch of training inputs, [N, …], of which each compressor gets a copy.
    """
    model = independent_copy(model)
    for compressor in compressors:
        settings = settings_of(design, compressor.kind)
        if settings:
            model = compressor.apply(model, settings, example.clone())
    return model
