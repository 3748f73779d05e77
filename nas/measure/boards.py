"""Boards: what of their flash and memory a network may take."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Core = Literal["AVR", "Cortex-M0+", "Cortex-M4", "Cortex-M7", "Xtensa LX6"]
BoardName = Literal["uno", "pico", "nano33ble", "stm32f4", "stm32h7", "esp32"]


@dataclass(frozen=True)
class Needs:
    """What the C of a network takes on a core beside data and activations, in bytes: the `code` of
    all kinds of layers, and the `stack`.
    """

    code: int
    stack: int


@dataclass(frozen=True)
class Runtime:
    """What the software around a network takes, in bytes of `flash` and of `ram`: what starts the
    processor, and the buffers of its input and output.
    """

    name: str
    flash: int
    ram: int


@dataclass(frozen=True)
class Board:
    """A board: bytes of `flash` and `ram`, its `clock` in Hz, and the software on it.

    `unpacked` are the bytes of memory kept for weights that are unpacked: layers that would take more
    are stored as 8-bit integers. Where memory is scarce they are 0, so that all are. `source` is
    where the figures stand.

    Raises:
        ValueError: if nothing is left for a network.
    """

    title: str
    core: Core
    flash: int
    ram: int
    clock: int
    runtime: Runtime
    unpacked: int
    source: str

    def __post_init__(self) -> None:
        if min(self.limits.values()) <= 0:
            raise ValueError(f"a board must leave memory for a network, but got {self}")

    @property
    def limits(self) -> Mapping[str, int]:
        """What a network may take, by the names of costs: of flash, `flash_bytes`, and of memory,
        `peak_memory_bytes`; where no weights are unpacked, also `params`, since each takes a byte of
        flash whatever its bits are.
        """
        needs = NEEDS[self.core]
        flash = self.flash - self.runtime.flash - needs.code
        memory = self.ram - self.runtime.ram - needs.stack - self.unpacked
        limits = {"flash_bytes": flash, "peak_memory_bytes": memory}
        return limits if self.unpacked else {**limits, "params": flash * 3 // 4}

    def check(self, table_bytes: int, arena_bytes: int, scratch_bytes: int) -> None:
        """Checks that written C fits: the bytes of its constant tables, of its arena, and of its
        unpacked weights.

        Raises:
            ValueError: if it does not.
        """
        flash = self.limits["flash_bytes"]
        memory = self.limits["peak_memory_bytes"] + self.unpacked
        if table_bytes > flash:
            raise ValueError(
                f"weights must take at most {flash:,} bytes of the flash of {self.title}, "
                f"but take {table_bytes:,}: search with a smaller flash_bytes"
            )
        if arena_bytes + scratch_bytes > memory:
            raise ValueError(
                f"a network must take at most {memory:,} bytes of the memory of {self.title}, but takes "
                f"{arena_bytes:,} for activations and {scratch_bytes:,} for unpacked weights: "
                "search with a smaller peak_memory_bytes"
            )


NEEDS: Mapping[Core, Needs] = {
    # Of 13 drawn convolutional networks with -Os, weights as 8-bit integers: code 8.4 to 10.7 kB, with up to
    # 1 kB of structures; stack 412 to 550 bytes, by painting it. Callers and interrupts have the rest.
    "AVR": Needs(code=13_312, stack=640),
    # Of a Cortex-M4, by benchmarks/on_device.py: 0.5 to 4.2 kB with -O2; stack 700 bytes by -fstack-usage.
    "Cortex-M0+": Needs(code=8192, stack=1024),
    "Cortex-M4": Needs(code=8192, stack=1024),
    "Cortex-M7": Needs(code=8192, stack=1024),
    # Not measured.
    "Xtensa LX6": Needs(code=16_384, stack=4096),
}
"""By core, with a margin over what was measured."""

_KIB, _MIB, _MHZ = 2**10, 2**20, 10**6
_HAL = Runtime("vendor's HAL", 32 * _KIB, 8 * _KIB)

BOARDS: Mapping[BoardName, Board] = {
    "uno": Board(
        "an Arduino Uno (ATmega328P)",
        "AVR",
        32 * _KIB,
        2 * _KIB,
        16 * _MHZ,
        # The boot loader's 512 bytes; the serial line's buffers of 2 x 64 bytes are most of the memory.
        Runtime("Arduino", 512 + 2560, 192),
        0,
        "Microchip, ATmega48A/PA/88A/PA/168A/PA/328/P data sheet",
    ),
    "pico": Board(
        "a Raspberry Pi Pico (RP2040)",
        "Cortex-M0+",
        2 * _MIB,
        264 * _KIB,
        133 * _MHZ,
        Runtime("Pico SDK", 64 * _KIB, 16 * _KIB),
        8 * _KIB,
        "Raspberry Pi, RP2040 and Pico data sheets",
    ),
    "nano33ble": Board(
        "an Arduino Nano 33 BLE (nRF52840)",
        "Cortex-M4",
        1 * _MIB,
        256 * _KIB,
        64 * _MHZ,
        Runtime("Arduino on Mbed OS", 160 * _KIB, 64 * _KIB),
        8 * _KIB,
        "Nordic Semiconductor, nRF52840 product specification",
    ),
    "stm32f4": Board(
        "an STM32F446RE",
        "Cortex-M4",
        512 * _KIB,
        128 * _KIB,
        180 * _MHZ,
        _HAL,
        8 * _KIB,
        "STMicroelectronics, STM32F446xC/E data sheet",
    ),
    "stm32h7": Board(
        "an STM32H743ZI",
        "Cortex-M7",
        2 * _MIB,
        # Of 1 MiB in all, since the arena is one block.
        512 * _KIB,
        480 * _MHZ,
        _HAL,
        8 * _KIB,
        "STMicroelectronics, STM32H742xI/G and STM32H743xI/G data sheet",
    ),
    "esp32": Board(
        "an ESP32 of 4 MiB",
        "Xtensa LX6",
        4 * _MIB,
        520 * _KIB,
        240 * _MHZ,
        # What is static has at most 160 KiB, by Espressif's programming guide.
        Runtime("ESP-IDF", 1 * _MIB, 360 * _KIB),
        8 * _KIB,
        "Espressif, ESP32 series data sheet",
    ),
}
"""Boards by name. Clocks are the fastest. What Mbed OS, the SDKs and the ESP-IDF take is an allowance,
not measured.
"""


def board(name: str) -> Board:
    """The board of a name.

    Raises:
        ValueError: if there is none.
    """
    for known, found in BOARDS.items():
        if known == name:
            return found
    raise ValueError(f"a board must be one of {', '.join(BOARDS)}, but got {name!r}")


def limits_on(name: BoardName | None, stated: Mapping[str, float | None]) -> Mapping[str, float]:
    """The limits that were stated, by the names of costs (None: no limit), and where a board has a
    smaller one, that.

    Raises:
        ValueError: if there is no board of this name.
    """
    limits = {cost: limit for cost, limit in stated.items() if limit is not None}
    if name is not None:
        for cost, limit in board(name).limits.items():
            limits[cost] = min(limit, limits.get(cost, limit))
    return limits
