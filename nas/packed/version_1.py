"""Files of version 1, whose biases are 256ths of a step of the result."""

from dataclasses import replace
from typing import TypeVar

from nas.program.biases import with_biases
from nas.program.operations import Layer

STEPS_SHIFT = 8

AnyLayer = TypeVar("AnyLayer", bound=Layer)


def from_version_1(layer: AnyLayer) -> AnyLayer:
    """The layer that was read, with the nearest biases in today's units."""
    offsets = layer.biases / 2.0**STEPS_SHIFT
    scaling, weights, biases = with_biases(offsets, layer.scaling, layer.weights)
    return replace(layer, scaling=scaling, weights=weights, biases=biases)
