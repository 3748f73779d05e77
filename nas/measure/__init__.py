"""What a network costs: counted before it is trained, and timed on devices."""

from nas.measure.costs import COSTS, costs
from nas.measure.host import OnnxRuntimeCpu
from nas.measure.protocol import Device, Measuring
from nas.measure.roofline import Roofline
from nas.measure.table import Table, TableDevice

__all__ = ["COSTS", "Device", "Measuring", "OnnxRuntimeCpu", "Roofline", "Table", "TableDevice", "costs"]
