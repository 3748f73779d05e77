import dataclasses
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from nas.lowering.scalings import scaling
from nas.onnx import to_onnx
from nas.program.operations import (
    Conv,
    Flatten,
    Linear,
    Operation,
)
from nas.program.program import Program
from nas.program.tensors import TensorType
from nas.program.weights import IntegerWeights
from nas.program.zero_points import unwrapped
from nas.quantize import UnsupportedError
from tests.nas.onnx.drawn_programs import Drawn
from tests.nas.onnx.runtime_steps import flattened, steps_apart


@pytest.mark.parametrize("kind", [Conv, Linear])
def test_weights_with_zero_points_give_the_same_integers(kind: type[Operation]) -> None:
    drawn = [Drawn(seed, affine=True).program(kind) for seed in range(20)]
    assert not any(steps_apart(program, seed).any() for seed, program in enumerate(drawn))
    apart = [steps_apart(program, seed, fused=True) for seed, program in enumerate(drawn)]
    assert max(each.max() for each in apart) <= 1
    assert np.mean([(each == 0).mean() for each in apart]) >= 0.9995


def affine(bits: int, zeros: list[int]) -> Program:
    """A convolution and a matrix product, of which every channel has all levels."""
    rng = np.random.default_rng(bits)
    points, tensor = np.array(zeros, np.uint8), TensorType((4, 8, 8), 0.1, 100)
    kernels = rng.permuted(
        np.tile(np.arange(-(2 ** (bits - 1)), 2 ** (bits - 1)), (len(zeros), 256 // 2**bits)),
        axis=1,
    )
    weights = np.concatenate([kernels, kernels[:, :32]], 1).astype(np.int8)
    biases = rng.integers(-1000, 1000, len(zeros)).astype(np.int32)
    gains = scaling(1 / np.linalg.norm(unwrapped(weights, bits, points), axis=1), (0, 255))
    geometry = ((1, 1), (1, 1), (1, 1), 1)
    integers = IntegerWeights(weights.reshape(-1, 4, 9, 8), bits, points)
    conv = Conv("conv", (0,), gains, integers, biases, *geometry)
    result = TensorType((len(zeros), 2, 3), 0.1, 90)
    product = np.resize(kernels, (len(zeros), result.size)).astype(np.int8)
    gains = scaling(1 / np.linalg.norm(unwrapped(product, bits, points), axis=1), (0, 255))
    linear = Linear("linear", (2,), gains, IntegerWeights(product, bits, points), biases)
    tensors = (
        tensor,
        result,
        dataclasses.replace(result, shape=(result.size,)),
        dataclasses.replace(result, shape=(len(zeros),)),
    )
    return Program(tensors, (conv, Flatten("flatten", (1,)), linear))


def kernels_of(model: onnx.ModelProto, folder: Path) -> list[str]:
    """The operators that ONNX Runtime runs, after all of its fusions."""
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(folder / "optimized.onnx")
    options.log_severity_level = 3
    onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return [node.op_type for node in onnx.load(folder / "optimized.onnx").graph.node]


@pytest.mark.parametrize("bits", range(2, 9))
def test_weights_with_zero_points_run_in_integer_kernels(bits: int, tmp_path: Path) -> None:
    top = 2**bits - 1
    for zeros in ([0] * 6, [top] * 6, [top // 3] * 6, [0, 1, top // 2, top // 2 + 1, top - 1, top]):
        if bits == 8 and len(set(zeros)) > 1:
            continue
        program = affine(bits, zeros)
        assert not steps_apart(program, 0).any()
        assert steps_apart(program, 0, fused=True).max() <= 1
        assert (steps_apart(program, 0, fused=True) == 0).mean() > 0.95
        model = to_onnx(program, fused=True)
        assert {"QLinearConv", "QGemm"} <= set(kernels_of(model, tmp_path))
        stored = {
            tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer
        }
        for name in ("conv", "linear"):
            assert (
                stored[f"{name}.levels"].dtype
                == stored[f"{name}.zero"].dtype
                == (np.uint8 if bits == 8 else np.int8)
            )
        assert stored["conv.zero"].tolist() == [zeros[0] if bits == 8 else 0] * 6


def test_zero_points_of_8_bits_that_no_common_one_serves_are_refused_by_fused_kernels_alone() -> (
    None
):
    for zeros in ([127, 129], [0, 255], [10, 11]):
        assert not steps_apart(affine(8, zeros), 0).any()
        with pytest.raises(
            UnsupportedError,
            match=r"'conv' must have weights that one zero point .* use 7 bits, symmetric weights",
        ):
            to_onnx(affine(8, zeros), fused=True)
    program = affine(8, [127, 129])
    conv = program.operations[0]
    assert isinstance(conv, Conv)
    # Narrower levels fit one common zero point.
    halves = dataclasses.replace(conv.weights, values=conv.weights.values // np.int8(2))
    narrow = dataclasses.replace(conv, weights=halves)
    assert steps_apart(flattened(list(program.tensors[:2]), narrow), 0, fused=True).max() <= 1
