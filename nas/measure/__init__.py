"""What a network costs, counted before it is trained."""

from nas.measure.costs import COSTS, costs
from nas.measure.device import Device, Roofline

__all__ = ["COSTS", "Device", "Roofline", "costs"]
