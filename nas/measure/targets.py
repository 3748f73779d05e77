"""Devices by the names that users type."""

import json
from pathlib import Path
from typing import get_args

from nas.measure.boards import BoardName, board
from nas.measure.cortex_m import CortexMTable
from nas.measure.device import Device
from nas.measure.ethos_u import Configuration, EthosU
from nas.measure.host import OnnxRuntimeCpu
from nas.measure.instruction_table import FORMAT as INSTRUCTIONS
from nas.measure.instruction_table import read_instruction_table, shipped_cores, shipped_table
from nas.measure.latency_table import MOST_BYTES, TableDevice, read_latency_table
from nas.regular_file import read_regular


def target_device(target: str, on: BoardName | None = None) -> Device:
    """The device of a name: onnxruntime, on this host; a core of which a table ships, such as
    cortex-m4; a configuration of an Ethos-U, such as ethos-u55-128; or the path of a table that
    nas profile wrote.

    Cores have the clock of the board `on` which they are, else that of `CortexMTable`.

    Raises:
        ValueError: if there is none, or the file is damaged.
        OSError: if a file cannot be read.
    """
    if target == "onnxruntime":
        return OnnxRuntimeCpu()
    for configuration in get_args(Configuration):
        if target == configuration:
            return EthosU(configuration)
    if target in shipped_cores():
        table = shipped_table(target)
    elif not Path(target).is_file():
        raise ValueError(
            f"a target must be roofline, onnxruntime, {', '.join(shipped_cores())}, "
            f"{', '.join(get_args(Configuration))} or a file that nas profile wrote, but got {target!r}"
        )
    elif not _counts_instructions(Path(target)):
        return TableDevice(Path(target).stem, read_latency_table(Path(target)))
    else:
        table = read_instruction_table(Path(target))
    return CortexMTable(table) if on is None else CortexMTable(table, board(on).clock)


def device_of_board(name: BoardName) -> Device | None:
    """The processor of a board at its clock, None if no table of it ships.

    Raises:
        ValueError: if there is no such board.
    """
    core = board(name).core.lower()
    return target_device(core, name) if core in shipped_cores() else None


def _counts_instructions(path: Path) -> bool:
    """Whether a file is a table of instructions rather than of latencies."""
    try:
        found = json.loads(read_regular(path, MOST_BYTES))
    except (ValueError, RecursionError):
        return False
    return isinstance(found, dict) and found.get("format") == INSTRUCTIONS
