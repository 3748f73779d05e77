from dataclasses import replace
from typing import get_args

import pytest

from nas.measure.boards import BOARDS, NEEDS, BoardName, Runtime, board, limits_on


def test_every_board_has_a_name_and_leaves_room_for_a_network() -> None:
    assert tuple(BOARDS) == get_args(BoardName)
    for found in BOARDS.values():
        assert 0 < found.limits["flash_bytes"] < found.flash
        assert 0 < found.limits["peak_memory_bytes"] < found.ram


def test_what_a_network_may_take_is_what_is_left() -> None:
    found, needs = BOARDS["pico"], NEEDS["Cortex-M0+"]
    flash = found.flash - found.runtime.flash - needs.code
    memory = found.ram - found.runtime.ram - needs.stack - found.unpacked
    assert found.limits == {"flash_bytes": flash, "peak_memory_bytes": memory}


def test_weights_that_are_not_unpacked_take_a_byte_each() -> None:
    limits = BOARDS["uno"].limits
    assert BOARDS["uno"].unpacked == 0
    assert limits["params"] < limits["flash_bytes"]


def test_the_smaller_limit_holds() -> None:
    own = BOARDS["uno"].limits
    stated = {"size_bytes": 4096, "flash_bytes": 5000, "peak_memory_bytes": 9000, "macs": None}
    assert limits_on("uno", stated) == {
        "size_bytes": 4096,
        "flash_bytes": 5000,
        "peak_memory_bytes": own["peak_memory_bytes"],
        "params": own["params"],
    }
    assert limits_on(None, stated) == {
        "size_bytes": 4096,
        "flash_bytes": 5000,
        "peak_memory_bytes": 9000,
    }


def test_a_name_that_is_no_board_is_refused() -> None:
    with pytest.raises(ValueError, match=r"a board must be one of uno, pico, .*, but got 'due'"):
        board("due")


def test_a_board_that_leaves_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="a board must leave memory for a network"):
        replace(BOARDS["uno"], runtime=Runtime("large", 2048, 2048))


def test_written_c_must_fit() -> None:
    uno = BOARDS["uno"]
    flash, memory = uno.limits["flash_bytes"], uno.limits["peak_memory_bytes"]
    uno.check(flash, memory, 0)
    with pytest.raises(ValueError, match=f"at most {flash:,} bytes of the flash of an Arduino Uno"):
        uno.check(flash + 1, memory, 0)
    with pytest.raises(ValueError, match=f"at most {memory:,} bytes of the memory"):
        uno.check(flash, memory, 2)
