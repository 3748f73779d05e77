"""This host as a device: ONNX Runtime on one thread of its processor."""

import functools
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from nas.program.operations import Linear
from nas.program.program import Program
from nas.program.scaling import Scaling
from nas.program.tensors import TensorType
from nas.program.weights import IntegerWeights

# ONNX and its runtime are imported where they are used: most searches time nothing on this host.
if TYPE_CHECKING:
    from onnx import ModelProto

# Much longer than the resolution of the clock, and short enough for many rounds.
BLOCK_SECONDS = 1e-3
WARM_UP_RUNS = 5


@dataclass(frozen=True)
class OnnxRuntimeCpu:
    """This host, measured: latencies vary from call to call, by some percent on an idle machine.

    A latency is the median over `rounds` blocks of a millisecond, in which a model runs again and
    again on one sample. Models are those of `to_onnx(…, fused=True)`: the exact ones take 1.1 times
    as long where few bits leave most layers to kernels of integers, and up to 3 times at 8 bits.

    Raises:
        ValueError: if `rounds` is below 1.
    """

    rounds: int = 30

    def __post_init__(self) -> None:
        if self.rounds < 1:
            raise ValueError(f"rounds must be at least 1, but got {self.rounds}")

    @property
    def name(self) -> str:
        """The name of the device."""
        return "onnxruntime-cpu"

    def latency(self, program: Program) -> float:
        """The latency for one sample, in seconds."""
        return latencies([program], self.rounds)[0]

    def compare_with_float(self, program: Program, model: nn.Module) -> tuple[float, float]:
        """The latency for one sample, in seconds, and its ratio to that of the network in floats,
        which runs in the same rounds.

        Raises:
            UnsupportedError: if the network has no ONNX form in floats.
        """
        from nas.onnx import float_to_onnx, to_onnx

        float_model = float_to_onnx(model, torch.zeros(1, *program.tensors[0].shape))
        seconds = time_models([to_onnx(program, fused=True), float_model], self.rounds)
        ratios = seconds[:, 0] / seconds[:, 1]
        return float(np.median(seconds[:, 0])), float(np.median(ratios))


def latencies(programs: Sequence[Program], rounds: int) -> list[float]:
    """The latency of each program for one sample, in seconds: the median over `rounds`."""
    from nas.onnx import to_onnx

    seconds = time_models([to_onnx(program, fused=True) for program in programs], rounds)
    return [float(median) for median in np.median(seconds, axis=0)]


def time_models(models: Sequence["ModelProto"], rounds: int) -> NDArray[np.float64]:
    """Seconds for one sample, [rounds, models].

    Each round runs every model, so that a drift of the clock rate affects all of them alike.
    """
    runs = [bind_to_sample(model) for model in models]
    for run in runs:
        _seconds_per_run(run, WARM_UP_RUNS)
    counts = [max(1, round(BLOCK_SECONDS / _seconds_per_run(run, WARM_UP_RUNS))) for run in runs]
    return np.array(
        [
            [_seconds_per_run(run, count) for run, count in zip(runs, counts, strict=True)]
            for _ in range(rounds)
        ]
    )


def _seconds_per_run(run: Callable[[], object], count: int) -> float:
    start = time.perf_counter()
    for _ in range(count):
        run()
    return (time.perf_counter() - start) / count


def bind_to_sample(model: "ModelProto") -> Callable[[], object]:
    """A function that runs a model on one random sample.

    Input and output are bound to fixed buffers: allocating them takes two microseconds a run.
    """
    from onnxruntime import OrtValue

    session = inference_session(model)
    (source,), (target,) = session.get_inputs(), session.get_outputs()
    binding = session.io_binding()
    sample = np.random.default_rng(0).random((1, *source.shape[1:]), np.float32)
    binding.bind_ortvalue_input(source.name, OrtValue.ortvalue_from_numpy(sample))
    logits = np.zeros((1, *target.shape[1:]), np.float32)
    binding.bind_ortvalue_output(target.name, OrtValue.ortvalue_from_numpy(logits))
    return lambda: session.run_with_iobinding(binding)


def host_description() -> str:
    """The processor and the version of ONNX Runtime, as text."""
    import onnxruntime

    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    processor = names[0] if names else platform.processor() or platform.machine()
    return f"{processor}, ONNX Runtime {onnxruntime.__version__}, 1 thread"


def run_onnx(
    model: "ModelProto", inputs: NDArray[np.float32], *, saturate: bool = False
) -> NDArray[np.float32]:
    """The logits of all inputs, float32 [N, classes].

    With `saturate`, products of integers may do so, as they do by default.
    """
    session = _session(model, exact=False) if saturate else inference_session(model)
    (logits,) = session.run(None, {"input": inputs})
    return np.asarray(logits, np.float32)


def inference_session(model: "ModelProto") -> Any:
    """An onnxruntime.InferenceSession on one thread, whose integer products do not saturate."""
    return _session(model, exact=products_saturate())


def _session(model: "ModelProto", exact: bool) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = 3  # errors only
    if exact:
        # Converts weights to unsigned when the model is loaded, at a sixth to a third of the speed.
        options.add_session_config_entry("session.x64quantprecision", "1")
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


@functools.cache
def products_saturate() -> bool:
    """Whether ONNX Runtime adds products of 8-bit integers in 16 bits with saturation on this
    processor, as on x86 without VNNI.
    """
    from nas.onnx import to_onnx

    size, wanted = 256, 200
    tensors = TensorType((size,), 1.0, 0), TensorType((1,), 1.0, 0)
    scaling = Scaling(np.array([round(wanted / (size * 255 * 127) * 2**30)], np.uint16), 30, 0, 255)
    weights = IntegerWeights(np.full((1, size), 127, np.int8), 8)
    layer = Linear("", (0,), scaling, weights, np.zeros(1, np.int32))
    (found,) = _session(to_onnx(Program(tensors, (layer,)), fused=True), exact=False).run(
        None, {"input": np.full((1, size), 255, np.float32)}
    )
    return bool(found != wanted)
