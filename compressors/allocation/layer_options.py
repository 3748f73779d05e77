"""What each layer's bits, sparsity and rank do to the output of a trained network."""

import copy
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from compressors.divergence import divergence, log_probabilities
from compressors.low_rank import LowRank
from compressors.quantization import Quantization
from compressors.sparsity import WeightPruning
from nas.layers import forward_hooks, layers_at, named_layers, replace_modules
from nas.packed.encodings import encode
from nas.program.zero_points import wrapped
from nas.quantize import quantized_layer
from nas.quantize.statistics import Statistics, matched_output, output_statistics
from nas.space import Choice, Choices, Design

KINDS = ("bits", "sparsity", "rank")


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
    if choice.when is None:
        return True
    parent = next(other for other in choices if other.name == choice.when[0])
    of_parent = parent.options[0]
    if parent.site == choice.site:
        if parent.kind not in settings and parent.kind in KINDS:
            return False
        of_parent = settings.get(parent.kind, of_parent)
    return of_parent in choice.when[1] and _is_active(choices, parent, settings)


def layer_options(
    model: nn.Module, images: Tensor, choices: Choices, method: Quantization
) -> dict[str, tuple[LayerOption, ...]]:
    """The options of each layer that has a choice of bits, by its dotted name.

    Each is measured on `images`, [N, …], with the weights of this layer alone changed and the means
    and spreads of its output channels as they were, as `match_statistics` leaves them. Options that
    another one beats in bytes and divergence are left out.
    """
    wanted = log_probabilities(model, images)
    names = {choice.name for choice in choices}
    sites = [name for name in named_layers(model) if f"{name}.bits" in names]
    statistics = output_statistics(model, sites, images)
    found = dict[str, tuple[LayerOption, ...]]()
    for site in sites:
        options = list[LayerOption]()
        match = partial(_match, statistics[site])
        for settings in settings_at(choices, site):
            changed, size = _changed(model, images, site, settings, method)
            with forward_hooks([(changed.get_submodule(site), match)]):
                reached = divergence(wanted, log_probabilities(changed, images))
            options.append(LayerOption(settings, size, reached))
        found[site] = _worthwhile(options)
    return found


def _match(statistics: Statistics, _: nn.Module, __: object, output: Tensor) -> Tensor:
    return matched_output(output, statistics)


def _changed(
    model: nn.Module,
    images: Tensor,
    site: str,
    settings: Mapping[str, Hashable],
    method: Quantization,
) -> tuple[nn.Module, int]:
    """A copy of the network with other settings for one layer, and the bytes of its coded weights."""
    changed = copy.deepcopy(model)
    for compressor in (LowRank(), WeightPruning()):
        if compressor.kind in settings:
            changed = compressor.apply(changed, {site: settings[compressor.kind]}, images)
    bits, size = Design(settings).integer("bits"), 0
    for layer in set(layers_at(changed, site).values()):
        quantized = quantized_layer(layer, bits, method.weights, method.weight_scales)
        levels, _ = quantized.levels()
        # Symmetric levels are within their bits, and stay as they are; those of 1 bit are not.
        values = levels.to(torch.int16).numpy()
        weights = wrapped(values, bits) if quantized.affine else values.astype(np.int8)
        size += len(encode(weights, bits).data)
        changed = replace_modules(changed, {layer: quantized})
    return changed, size


def _worthwhile(options: list[LayerOption]) -> tuple[LayerOption, ...]:
    """The options on the front of bytes and divergence, shortest first."""
    front = list[LayerOption]()
    for option in sorted(options, key=lambda option: (option.size_bytes, option.divergence)):
        if not front or option.divergence < front[-1].divergence:
            front.append(option)
    return tuple(front)
