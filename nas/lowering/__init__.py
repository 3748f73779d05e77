"""From a trained network to its integer program."""

from nas.lowering.lower import lower, snapped

__all__ = ["lower", "snapped"]
