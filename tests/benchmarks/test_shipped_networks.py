import pytest

from benchmarks.shipped_networks import (
    FOLDER,
    ShippedNetwork,
    outputs_digest,
    shipped_networks,
    table,
)
from nas.packed import flash_bytes, unpack

RESULTS = FOLDER.parent / "RESULTS.md"


def test_every_file_that_is_shipped_is_told_of() -> None:
    assert {path.stem for path in FOLDER.glob("*.nas")} == {
        each.name for each in shipped_networks()
    }


@pytest.mark.parametrize("network", shipped_networks(), ids=lambda network: network.name)
def test_a_shipped_file_is_what_its_figures_say(network: ShippedNetwork) -> None:
    packed = network.file.read_bytes()
    program = unpack(packed)
    assert len(packed) == network.size_bytes <= network.size_limit
    assert flash_bytes(program) == network.flash_bytes
    assert program.macs == network.macs
    assert program.peak_memory == network.peak_memory_bytes
    assert outputs_digest(program) == network.outputs


def test_the_results_hold_the_table() -> None:
    assert table(shipped_networks()) in RESULTS.read_text()
