"""What the runtimes say on this host, to compare models with their programs."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray


def run_litert(model: bytes, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
    """The logits, float32 [N, classes], that LiteRT with XNNPACK and one thread gives for inputs,
    float32 [N, …], channels first as programs read them.

    Raises:
        ModuleNotFoundError: if `ai-edge-litert` is not installed.
    """
    from ai_edge_litert.interpreter import Interpreter

    run = Interpreter(model_content=model, num_threads=1)
    run.allocate_tensors()
    (source,), (target,) = run.get_input_details(), run.get_output_details()

    def answer(sample: NDArray[np.int8]) -> Any:
        run.set_tensor(source["index"], sample)
        run.invoke()
        return run.get_tensor(target["index"])

    return _logits(answer, inputs, source["quantization"], target["quantization"])


def run_micro(model: bytes, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
    """The logits that TensorFlow Lite Micro's kernels give, as `run_litert` does for LiteRT's.

    Raises:
        ModuleNotFoundError: if `tflite-micro` is not installed.
    """
    from tflite_micro.python.tflite_micro.runtime import Interpreter

    run = Interpreter.from_bytes(model)

    def answer(sample: NDArray[np.int8]) -> Any:
        run.set_input(sample, 0)
        run.invoke()
        return run.get_output(0)

    def quantization(details: Any) -> tuple[float, int]:
        found = details["quantization_parameters"]
        return found["scales"][0], int(found["zero_points"][0])

    source, target = run.get_input_details(0), run.get_output_details(0)
    return _logits(answer, inputs, quantization(source), quantization(target))


def _logits(
    answer: Callable[[NDArray[np.int8]], NDArray[np.int8]],
    inputs: NDArray[np.float32],
    source: tuple[float, int],
    target: tuple[float, int],
) -> NDArray[np.float32]:
    """Logits sample by sample, from integers that are rounded as the interpreter does."""
    scale, zero = source
    integers = (np.rint(inputs / np.float32(scale)) + zero).clip(-128, 127).astype(np.int8)
    last = np.moveaxis(integers, 1, -1)
    said = np.concatenate([np.array(answer(sample[np.newaxis])) for sample in last])
    scale, zero = target
    return (said.astype(np.int32) - zero).astype(np.float32) * np.float32(scale)
