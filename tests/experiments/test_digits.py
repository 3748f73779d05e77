from pathlib import Path

import pytest

from experiments.digits import digits
from nas.measure import OnnxRuntimeCpu, Roofline
from nas.objective import Status
from nas.run import run


def test_a_search_on_real_digits_finds_an_accurate_network_within_its_budget(tmp_path: Path) -> None:
    found = run(digits("evolution", "conv", trials=4, size_bytes=4096, teacher=True, epochs=8, finetune_epochs=6), tmp_path)
    assert found.best is not None
    assert found.best.metrics["size_bytes"] <= 4096
    assert found.best.metrics["accuracy"] > 0.85
    assert found.test_accuracy is not None
    assert found.test_accuracy > 0.8
    assert [e.status for e in found.evaluations].count(Status.OK) == 4


def test_every_budget_reaches_the_objective() -> None:
    limited = digits(size_bytes=4096, params=5000, macs=100000, peak_memory_bytes=2048)
    assert limited.objective.budget.limits == {"size_bytes": 4096, "params": 5000, "macs": 100000, "peak_memory_bytes": 2048}
    timed = digits(size_bytes=None, latency_ms=0.5, macs_per_second=2e8)
    assert timed.objective.budget.limits == {"latency_ms": 0.5}
    assert timed.device is not None
    with pytest.raises(ValueError, match="the budget of 'params' must be a positive number, but got -1"):
        digits(params=-1)


def test_devices_are_named() -> None:
    assert digits().device is None
    assert isinstance(digits(latency_ms=1.0).device, Roofline)
    assert isinstance(digits(device="onnxruntime").device, OnnxRuntimeCpu)
    with pytest.raises(ValueError, match="a device must be roofline, onnxruntime or a file that nas profile wrote, but got 'gpu'"):
        digits(device="gpu")
