"""What each layer's bits, sparsity and rank do to the output of a trained network."""

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from compressors.low_rank import LowRank
from compressors.quantization import Quantization
from compressors.sparsity import WeightPruning
from nas.layers import copied_at, named_layers
from nas.measure.sensitivity import layer_at_bits, reference
from nas.space import Choice, Choices, Conditions, Design

KINDS = ("bits", "sparsity", "rank")
READ = (*KINDS, "codebook_size")


@dataclass(frozen=True)
class LayerOption:
    """What a layer costs with these settings, such as {"bits": 3, "sparsity": 0.5}: bytes of its
    coded weights, and the divergence of the network's output in nats if this layer alone has them.
    """

    settings: Mapping[str, Hashable]
    size_bytes: int
    divergence: float

    @property
    def bits(self) -> int:
        """The bits of a weight."""
        return Design(self.settings).integer("bits")

    @property
    def but_bits(self) -> dict[str, Hashable]:
        """The other settings."""
        return {kind: value for kind, value in self.settings.items() if kind != "bits"}


def divergence_at(options: Sequence[LayerOption], settings: Mapping[str, Hashable]) -> float:
    """The divergence of a layer's output at settings of the kinds `READ`, None where a choice is
    not active.

    A codebook of n values counts as weights of log2 n bits, or the next more that are an option. A
    layer without bits is gone, and counts as its option of largest divergence.

    Raises:
        ValueError: if there is no such option.
    """
    if settings["bits"] is None:
        return max(option.divergence for option in options)
    given = Design({kind: value for kind, value in settings.items() if value is not None})
    values = given.get("codebook_size", 0)
    bits = (given.integer("codebook_size") - 1).bit_length() if values else given.integer("bits")
    others = {kind: given[kind] for kind in KINDS if kind in given and kind != "bits"}
    like = [
        option
        for option in options
        if option.bits >= bits and others.items() <= option.settings.items()
    ]
    if not like:
        raise ValueError(
            f"a layer must have settings of {[option.settings for option in options]}, but got {given}"
        )
    return min(like, key=lambda option: option.bits).divergence


def settings_at(choices: Choices, site: str) -> list[dict[str, Hashable]]:
    """All settings of the layer at a site: every combination of its bits, sparsity and rank that
    can be active together. Other choices have their first option.
    """
    own = [choice for choice in choices if choice.site == site and choice.kind in KINDS]

    def extended(
        settings: dict[str, Hashable], rest: list[Choice]
    ) -> Iterator[dict[str, Hashable]]:
        if not rest:
            yield settings
            return
        first, *others = rest
        if _is_active(choices, first, settings):
            for option in first.options:
                yield from extended({**settings, first.kind: option}, others)
        else:
            yield from extended(settings, others)

    return list(extended({}, own))


def _is_active(choices: Choices, choice: Choice, settings: Mapping[str, Hashable]) -> bool:
    return any(_hold(choices, choice, each, settings) for each in choice.alternatives)


def _hold(
    choices: Choices, choice: Choice, conditions: Conditions, settings: Mapping[str, Hashable]
) -> bool:
    for name, values in conditions:
        parent = next(other for other in choices if other.name == name)
        of_parent = parent.options[0]
        if parent.site == choice.site:
            if parent.kind not in settings and parent.kind in KINDS:
                return False
            of_parent = settings.get(parent.kind, of_parent)
        if of_parent not in values or not _is_active(choices, parent, settings):
            return False
    return True


def layer_options(
    model: nn.Module, images: Tensor, choices: Choices, method: Quantization
) -> dict[str, tuple[LayerOption, ...]]:
    """The options of each layer that has a choice of bits, by its dotted name.

    Each is measured on `images`, [N, …], with the weights of this layer alone changed, as
    `layer_at_bits` does.
    """
    names = {choice.name for choice in choices}
    sites = [name for name in named_layers(model) if f"{name}.bits" in names]
    original = reference(model, sites, images)

    def option(site: str, settings: Mapping[str, Hashable]) -> LayerOption:
        changed, bits = _changed(model, images, site, settings), Design(settings).integer("bits")
        found = layer_at_bits(changed, site, bits, original, method.weights, method.weight_scales)
        return LayerOption(settings, found.size_bytes, found.divergence)

    return {
        site: tuple(option(site, settings) for settings in settings_at(choices, site))
        for site in sites
    }


def _changed(
    model: nn.Module, images: Tensor, site: str, settings: Mapping[str, Hashable]
) -> nn.Module:
    """A copy of the network with another rank and sparsity of one layer."""
    changed = copied_at(model, site)
    for compressor in (LowRank(), WeightPruning()):
        if compressor.kind in settings:
            changed = compressor.apply(changed, {site: settings[compressor.kind]}, images)
    return changed


def worthwhile(options: Iterable[LayerOption]) -> tuple[LayerOption, ...]:
    """The options that no other one beats in bytes and divergence, those on the front of bytes and divergence, shortest first."""
    front = list[LayerOption]()
    for option in sorted(options, key=lambda option: (option.size_bytes, option.divergence)):
        if not front or option.divergence < front[-1].divergence:
            front.append(option)
    return tuple(front)
