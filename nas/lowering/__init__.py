"""From a trained network to its integer program."""

from nas.lowering.lower import lower, lower_all_channels, lower_shapes
from nas.lowering.snap import snapped

__all__ = ["lower", "lower_all_channels", "lower_shapes", "snapped"]
