from importlib.util import find_spec

import pytest

from nas.measure import EthosU
from tests.nas.c.small_networks import convolutional, perceptron

INSTALLED = find_spec("ethosu") is not None
needs_vela = pytest.mark.skipif(not INSTALLED, reason="ethos-u-vela is not installed")


@needs_vela
def test_vela_reads_our_networks() -> None:
    found = EthosU("ethos-u55-128").costs(perceptron())
    assert found.cpu_operators == 0
    assert found.flash > 64 * 32
    assert 0 < found.sram < 2**16
    device = EthosU()
    assert device.name == "ethos-u55-128"
    assert 0 < device.latency(convolutional()) < 1


@needs_vela
def test_what_vela_refuses_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"Vela must accept a network, but says: .*ethos-u9"):
        EthosU("ethos-u9").latency(perceptron())  # type: ignore[arg-type]


@pytest.mark.skipif(INSTALLED, reason="ethos-u-vela is installed")
def test_the_package_that_is_missing_is_named() -> None:
    with pytest.raises(ValueError, match=r"needs the packages ethosu.*pip install 'compact-nas\[e"):
        EthosU()
