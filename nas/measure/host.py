"""The processor that this runs on, with ONNX Runtime on one thread."""

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

# ONNX and its runtime are imported where they are used: searches that time nothing on this host do
# without them.
if TYPE_CHECKING:
    from onnx import ModelProto

# Long enough for the clock, short enough for many rounds.
BLOCK_SECONDS = 1e-3
WARM_UP = 5


@dataclass(frozen=True)
class OnnxRuntimeCpu:
    """This host, measured: what it says differs from call to call, by some percent where nothing
    else runs.

    A latency is the median of `rounds` blocks of runs on one sample, a millisecond each.

    Raises:
        ValueError: if there are no rounds.
    """

    rounds: int = 30

    def __post_init__(self) -> None:
        if self.rounds < 1:
            raise ValueError(f"there must be at least 1 round, but got {self.rounds}")

    @property
    def name(self) -> str:
        """What the device is called."""
        return "onnxruntime-cpu"

    def latency(self, program: Program) -> float:
        """Seconds for one sample."""
        return seconds([program], self.rounds)[0]

    def compared(self, program: Program, model: nn.Module) -> tuple[float, float]:
        """Seconds for one sample, and how many times as long as the float network that is: medians
        of the same rounds.

        Raises:
            UnsupportedError: if the network has no ONNX form in floats.
        """
        from nas.onnx import float_to_onnx, to_onnx

        float_model = float_to_onnx(model, torch.zeros(1, *program.tensors[0].shape))
        both = blocks([to_onnx(program), float_model], self.rounds)
        return float(np.median(both[:, 0])), float(np.median(both[:, 0] / both[:, 1]))


def seconds(programs: Sequence[Program], rounds: int) -> list[float]:
    """The latency of each program for one sample, by its median over rounds in which all run."""
    from nas.onnx import to_onnx

    return [
        float(median)
        for median in np.median(blocks([to_onnx(program) for program in programs], rounds), axis=0)
    ]


def blocks(models: Sequence["ModelProto"], rounds: int) -> NDArray[np.float64]:
    """Seconds for one sample, [rounds, models]; every round runs every model, so that drift meets
    all of them alike.
    """
    runs = [_bound(model) for model in models]
    for run in runs:
        _each(run, WARM_UP)
    counts = [max(1, round(BLOCK_SECONDS / _each(run, WARM_UP))) for run in runs]
    return np.array(
        [
            [_each(run, count) for run, count in zip(runs, counts, strict=True)]
            for _ in range(rounds)
        ]
    )


def _each(run: Callable[[], object], count: int) -> float:
    start = time.perf_counter()
    for _ in range(count):
        run()
    return (time.perf_counter() - start) / count


def _bound(model: "ModelProto") -> Callable[[], object]:
    """Runs a model on one sample that stays in its place, as its logits do: finding places takes
    two microseconds a run.
    """
    from onnxruntime import OrtValue

    running = session(model)
    (source,), (target,), binding = (
        running.get_inputs(),
        running.get_outputs(),
        running.io_binding(),
    )
    sample = np.random.default_rng(0).random((1, *source.shape[1:]), np.float32)
    binding.bind_ortvalue_input(source.name, OrtValue.ortvalue_from_numpy(sample))
    binding.bind_ortvalue_output(
        target.name, OrtValue.ortvalue_from_numpy(np.zeros((1, *target.shape[1:]), np.float32))
    )
    return lambda: running.run_with_iobinding(binding)


def description() -> str:
    """The processor, and what runs on it."""
    import onnxruntime

    told = Path("/proc/cpuinfo")
    lines = told.read_text().splitlines() if told.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{(models or [platform.processor() or platform.machine()])[0]}, ONNX Runtime {onnxruntime.__version__}, 1 thread"


def run_onnx(model: "ModelProto", inputs: NDArray[np.float32]) -> NDArray[np.float32]:
    """The logits of all inputs, float32 [N, classes]."""
    (logits,) = session(model).run(None, {"input": inputs})
    return np.asarray(logits, np.float32)


def session(model: "ModelProto") -> Any:
    """An onnxruntime.InferenceSession on one thread of this processor, whose integer products do
    not saturate.
    """
    return _session(model, exact=saturates())


def _session(model: "ModelProto", exact: bool) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = 3  # errors only
    if exact:
        # Weights become unsigned when the model is loaded, which costs a sixth to a third of the
        # speed.
        options.add_session_config_entry("session.x64quantprecision", "1")
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


@functools.cache
def saturates() -> bool:
    """Whether ONNX Runtime adds products of 8-bit integers in 16 bits on this processor, as on x86
    without VNNI.
    """
    from nas.onnx import to_onnx

    size, wanted = 256, 200
    tensors = TensorType((size,), 1.0, 0), TensorType((1,), 1.0, 0)
    scaling = Scaling(np.array([round(wanted / (size * 255 * 127) * 2**30)], np.uint16), 30, 0, 255)
    weights = IntegerWeights(np.full((1, size), 127, np.int8), 8)
    layer = Linear("", (0,), scaling, weights, np.zeros(1, np.int32))
    (found,) = _session(to_onnx(Program(tensors, (layer,))), exact=False).run(
        None, {"input": np.full((1, size), 255, np.float32)}
    )
    return bool(found != wanted)
