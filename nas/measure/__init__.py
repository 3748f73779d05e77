"""What a network costs, counted before it is trained."""

from nas.measure.costs import COSTS, costs
from nas.measure.device import Device, Roofline
from nas.measure.ledger import Entry, ledger
from nas.measure.operations import Operation, Stored, operations, peak_memory

__all__ = ["COSTS", "Device", "Entry", "Operation", "Roofline", "Stored", "costs", "ledger", "operations", "peak_memory"]
