"""What a network costs: counted before it is trained, and timed on devices."""

from nas.measure.boards import BOARDS, Board, board
from nas.measure.cortex_m import CortexM, CortexMTable
from nas.measure.costs import COSTS, costs
from nas.measure.device import Device, MeasuringDevice
from nas.measure.ethos_u import EthosU
from nas.measure.host import OnnxRuntimeCpu
from nas.measure.instruction_table import InstructionTable
from nas.measure.latency_table import LatencyTable, TableDevice
from nas.measure.roofline import Roofline

__all__ = [
    "BOARDS",
    "COSTS",
    "Board",
    "CortexM",
    "CortexMTable",
    "Device",
    "EthosU",
    "InstructionTable",
    "LatencyTable",
    "MeasuringDevice",
    "OnnxRuntimeCpu",
    "Roofline",
    "TableDevice",
    "board",
    "costs",
]
