import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn

from nas.lowering.lower import lower
from nas.measure import MeasuringDevice, costs, host
from nas.measure.host import (
    OnnxRuntimeCpu,
    host_description,
    inference_session,
    products_saturate,
    run_onnx,
    time_models,
)
from nas.onnx import float_to_onnx, to_onnx
from nas.program.interpreter import logits
from nas.program.program import Program

INPUTS = torch.rand(16, 1, 6, 6, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(32, 5)
    )


@pytest.fixture(scope="module")
def program(network: nn.Module) -> Program:
    return lower(network, INPUTS)


def test_a_latency_is_seconds(program: Program) -> None:
    device = OnnxRuntimeCpu(rounds=3)
    assert device.name == "onnxruntime-cpu"
    assert 1e-7 < device.latency(program) < 1.0


def test_rounds_run_every_model(program: Program, network: nn.Module) -> None:
    models = [to_onnx(program), float_to_onnx(network, INPUTS), to_onnx(program)]
    seconds = time_models(models, 4)
    assert seconds.shape == (4, 3)
    assert (seconds > 0).all()


def test_a_program_is_compared_with_its_network_in_floats(
    program: Program, network: nn.Module
) -> None:
    device = OnnxRuntimeCpu(rounds=3)
    assert isinstance(device, MeasuringDevice)
    seconds, ratio = device.compare_with_float(program, network)
    assert 1e-7 < seconds < 1.0
    assert 1e-3 < ratio < 1e3
    metrics = costs(network, program, device)
    assert 1e-4 < metrics["latency_ms"] < 1e3
    assert 1e-3 < metrics["latency_ratio"] < 1e3


def test_without_a_float_network_there_is_no_ratio(program: Program) -> None:
    metrics = costs(nn.Sequential(nn.Softmax(1)), program, OnnxRuntimeCpu(rounds=1))
    assert metrics["latency_ms"] > 0
    assert "latency_ratio" not in metrics


def test_rounds_must_be_positive() -> None:
    with pytest.raises(ValueError, match="rounds must be at least 1, but got 0"):
        OnnxRuntimeCpu(rounds=0)


def test_one_thread_is_used(program: Program) -> None:
    options = inference_session(to_onnx(program)).get_session_options()
    assert (options.intra_op_num_threads, options.inter_op_num_threads) == (1, 1)


def test_results_are_the_same_where_products_saturate(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = logits(program, INPUTS)
    monkeypatch.setattr(host, "products_saturate", lambda: True)
    model = to_onnx(program, fused=True)
    assert (
        inference_session(model)
        .get_session_options()
        .get_session_config_entry("session.x64quantprecision")
        == "1"
    )
    assert (
        np.abs(run_onnx(model, INPUTS.numpy()) - wanted).max() <= 1.01 * program.tensors[-1].scale
    )


def test_the_host_is_described() -> None:
    assert isinstance(products_saturate(), bool)
    assert host_description().endswith(", 1 thread")


def test_devices_that_are_not_used_cost_no_import_of_onnx() -> None:
    code = "import sys, nas.measure.host, nas.measure.latency_table, nas.measure.roofline"
    code += "; print({'onnx', 'onnxruntime'} & sys.modules.keys())"
    assert (
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout
        == "set()\n"
    )
