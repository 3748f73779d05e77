from pathlib import Path

import pytest

from nas.measure import CortexMTable, LatencyTable, OnnxRuntimeCpu, TableDevice
from nas.measure.boards import BOARDS
from nas.measure.instruction_table import shipped_table, write_instruction_table
from nas.measure.latency_table import write_latency_table
from nas.measure.targets import device_of_board, target_device


def test_devices_have_names() -> None:
    assert isinstance(target_device("onnxruntime"), OnnxRuntimeCpu)
    assert target_device("cortex-m4") == CortexMTable(shipped_table("cortex-m4"))


def test_a_file_is_a_table_of_either_kind(tmp_path: Path) -> None:
    counted, timed = tmp_path / "m4.json", tmp_path / "host.json"
    write_instruction_table(shipped_table("cortex-m4"), counted)
    write_latency_table(LatencyTable("host", 1.0, 1.0, {}), timed)
    found = target_device(str(counted), "stm32f4")
    assert isinstance(found, CortexMTable)
    assert found.clock == BOARDS["stm32f4"].clock
    assert isinstance(target_device(str(timed)), TableDevice)
    timed.write_bytes(b"\xff")
    with pytest.raises(ValueError, match="must hold a latency table"):
        target_device(str(timed))


def test_a_board_has_the_clock_of_its_core() -> None:
    found = device_of_board("nano33ble")
    assert found == target_device("cortex-m4", "nano33ble")
    assert found is not None
    assert found.name == "cortex-m4 at 64 MHz"
    assert device_of_board("uno") is None


def test_a_name_that_is_no_target_is_refused() -> None:
    with pytest.raises(ValueError, match=r"a target must be roofline, .*, but got 'gpu'"):
        target_device("gpu")
