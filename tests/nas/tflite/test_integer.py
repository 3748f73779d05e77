"""What a program becomes in a .tflite file."""

import dataclasses
import json

import numpy as np
import pytest

from nas.lowering.scalings import scaling
from nas.preprocessing import Preprocessing, from_json
from nas.program.operations import Add, Conv, Flatten, Linear, Lut, MaxPool, Operation
from nas.program.program import Program
from nas.program.rounding import Rounding
from nas.program.tensors import TensorType
from nas.program.weights import IntegerWeights
from nas.quantize import UnsupportedError
from tests.nas.onnx.drawn_programs import OPERATIONS, Drawn
from tests.nas.onnx.runtime_steps import flattened

pytest.importorskip("tflite", reason="the extra tflite is not installed")

from nas.tflite import to_tflite
from tests.nas.tflite.model_file import operators, read

IMAGE = TensorType((2, 4, 4), 0.5, 7)


def layer(bits: int, inputs: int, largest: float = 1.0) -> Program:
    """A matrix product of random weights, whose results spread over their range."""
    rng, top = np.random.default_rng(bits), 2 ** (bits - 1) - 1
    values = rng.integers(-top, top + 1, (16, inputs)).astype(np.int8)
    gains = scaling(rng.uniform(0.5, largest, 16) / (top * inputs**0.5), (0, 255))
    tensors = TensorType((inputs,), 1.0, 3), TensorType((16,), 1.0, 100)
    biases = np.zeros(16, np.int32)
    return Program(tensors, (Linear("linear", (0,), gains, IntegerWeights(values, bits), biases),))


@pytest.mark.parametrize("kind", OPERATIONS)
def test_equal_programs_give_equal_bytes(kind: type[Operation]) -> None:
    models = [to_tflite(Drawn(4).program(kind)) for _ in range(2)]
    assert models[0] == models[1]


def test_inputs_and_outputs_have_the_scales_of_the_program() -> None:
    program = flattened([IMAGE, IMAGE], MaxPool("pool", (0,), (1, 1), (1, 1), (0, 0)))
    graph = read(to_tflite(program)).Subgraphs(0)
    source, target = graph.Tensors(graph.Inputs(0)), graph.Tensors(graph.Outputs(0))
    assert source.ShapeAsNumpy().tolist() == [1, 4, 4, 2]
    assert target.ShapeAsNumpy().tolist() == [1, 32]
    assert (source.Name(), target.Name()) == (b"input", b"logits")
    for tensor in (source, target):
        assert tensor.Quantization().Scale(0) == 0.5
        assert tensor.Quantization().ZeroPoint(0) == 7 - 128


def test_a_layer_stays_in_one_kernel_where_that_is_exact() -> None:
    wanted = ["RESHAPE", "CONV_2D", "RESHAPE"]
    assert operators(to_tflite(layer(4, 64))) == wanted
    assert operators(to_tflite(layer(8, 900), rounding="double")) == wanted
    exact = operators(to_tflite(layer(8, 900)))
    assert {"CONV_2D", "FLOOR_DIV", "DEQUANTIZE"} <= set(exact)


def test_a_flatten_before_a_layer_moves_weights_instead_of_integers() -> None:
    program = flattened([IMAGE, IMAGE], MaxPool("pool", (0,), (1, 1), (1, 1), (0, 0)))
    assert "TRANSPOSE" in operators(to_tflite(program))
    values = IntegerWeights(np.ones((3, 32), np.int8), 4)
    gains, biases = scaling(np.full(3, 0.1), (0, 255)), np.zeros(3, np.int32)
    product = Linear("linear", (1,), gains, values, biases)
    tensors = IMAGE, dataclasses.replace(IMAGE, shape=(32,)), TensorType((3,), 1.0, 0)
    program = Program(tensors, (Flatten("flatten", (0,)), product))
    assert "TRANSPOSE" not in operators(to_tflite(program))


def test_a_sum_of_one_scale_is_one_kernel() -> None:
    total = Add("add", (0, 0), scaling(np.ones(2), (0, 255)))
    result = dataclasses.replace(IMAGE, zero=9)
    for rounding in ("single", "double"):
        assert (
            operators(to_tflite(flattened([IMAGE, result], total), rounding=rounding))[0] == "ADD"
        )


def test_a_limit_at_the_zero_point_is_a_rectifier() -> None:
    weights = IntegerWeights(np.ones((2, 2, 1, 1), np.int8), 4)
    for low, kinds in ((7, []), (9, ["MAXIMUM"])):
        gains = scaling(np.full(2, 0.1), (low, 200))
        conv = Conv("conv", (0,), gains, weights, np.zeros(2, np.int32), (1, 1), (0, 0), (1, 1), 1)
        found = operators(to_tflite(flattened([IMAGE, IMAGE], conv)))
        assert [kind for kind in found if kind in ("MAXIMUM", "MINIMUM")] == kinds


def test_levels_of_9_bits_are_sums_of_weights() -> None:
    weights = IntegerWeights(np.full((2, 2, 1, 1), -1, np.int8), 8, np.zeros(2, np.uint8))
    gains, geometry = scaling(np.full(2, 0.001), (0, 255)), ((1, 1), (0, 0), (1, 1), 1)
    conv = Conv("conv", (0,), gains, weights, np.zeros(2, np.int32), *geometry)
    model = to_tflite(flattened([IMAGE, IMAGE], conv))
    assert operators(model)[:2] == ["GATHER", "CONV_2D"]
    graph = read(model).Subgraphs(0)
    (weight,) = (
        graph.Tensors(i)
        for i in range(graph.TensorsLength())
        if graph.Tensors(i).Name() == b"conv.weights"
    )
    assert weight.ShapeAsNumpy().tolist() == [2, 1, 1, 6]  # 255 = 127 + 127 + 1


def test_names_of_classes_are_metadata() -> None:
    table = Lut("lut", (0,), np.arange(256, dtype=np.uint8))
    program = Program((TensorType((2,), 1.0, 0), TensorType((2,), 1.0, 0)), (table,))
    model = read(to_tflite(program, class_names=["cat", "dög"]))
    entry = model.Metadata(0)
    assert entry.Name() == b"class_names"
    stored = model.Buffers(entry.Buffer()).DataAsNumpy().tobytes()
    assert json.loads(stored) == ["cat", "dög"]
    assert read(to_tflite(program)).MetadataLength() == 0


def test_preprocessing_is_metadata() -> None:
    table = Lut("lut", (0,), np.arange(256, dtype=np.uint8))
    program = Program((TensorType((2,), 1.0, 0), TensorType((2,), 1.0, 0)), (table,))
    one = Preprocessing("float32", (1.0, 2.0), (3.0, 4.0), 5.0)
    model = read(to_tflite(program, class_names=["a", "b"], preprocessing=one))
    entry = model.Metadata(1)
    assert entry.Name() == b"preprocessing"
    assert from_json(model.Buffers(entry.Buffer()).DataAsNumpy().tobytes()) == one


@pytest.mark.parametrize("rounding", ["single", "double"])
def test_sums_beyond_32_bits_are_refused_by_name(rounding: Rounding) -> None:
    program = layer(8, 64)
    (linear,) = program.operations
    assert isinstance(linear, Linear)
    biases = np.full(16, 2**31 - 1, np.int32)
    larger = Program(program.tensors, (dataclasses.replace(linear, biases=biases),))
    with pytest.raises(UnsupportedError, match=r"'linear' must have sums that 32 bits hold"):
        to_tflite(larger, rounding=rounding)


def test_an_unknown_rounding_is_refused() -> None:
    with pytest.raises(ValueError, match="a rounding must be one of"):
        to_tflite(layer(4, 8), rounding="none")  # type: ignore[arg-type]
