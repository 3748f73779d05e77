import copy
import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from nas.data import Task, digits
from nas.lowering import lower
from nas.lowering.scalings import scaling
from nas.measure.host import run_onnx
from nas.onnx import to_onnx
from nas.packed.records import RECORDS
from nas.program.interpreter import Interpreter, logits
from nas.program.operations import (
    Add,
    AvgPool,
    Concat,
    Conv,
    Flatten,
    Gather,
    Linear,
    Lut,
    MaxPool,
    Mul,
    Operation,
    Pad,
    PRelu,
    SameScale,
    Upsample,
)
from nas.program.program import Program
from nas.program.scaling import Scaling
from nas.program.tensors import TensorType
from nas.program.weights import IntegerWeights
from nas.program.zero_points import unwrapped
from nas.quantize import UnsupportedError, calibrate, insert_quantizers, quantized_layer
from nas.quantize.weight_levels import Granularity
from nas.quantize.weight_quantizers import WeightMethod
from nas.seeds import generator, seeded
from nas.training.fit import cross_entropy, fit
from nas.training.recipe import Recipe

Build = Callable[..., Any]

OPERATIONS = [record.kind for record in RECORDS.values()]


def steps_apart(program: Program, seed: int) -> NDArray[np.int64]:
    """By how many steps of its output ONNX Runtime differs from the program, on inputs of all
    values.
    """
    first, last = program.tensors[0], program.tensors[-1]
    integers = np.random.default_rng(seed).integers(0, first.top + 1, (8, *first.shape))
    inputs = ((integers - first.zero) * np.float32(first.scale)).astype(np.float32)
    found = (
        np.rint(run_onnx(to_onnx(program), inputs) / np.float32(last.scale)).astype(np.int64)
        + last.zero
    )
    apart: NDArray[np.int64] = np.abs(
        found - Interpreter(program).integers(torch.from_numpy(inputs)).numpy()
    )
    return apart


class Drawn:
    """Programs of one operation whose results spread over their range, or a part of it that they
    are clamped to.
    """

    def __init__(self, seed: int, affine: bool = False) -> None:
        self.affine = affine
        self.rng = np.random.default_rng(seed)
        # Every other program has 8 bits throughout.
        self.source_bits, self.bits, self.weight_bits = (
            self.one(1, 8) if seed % 2 else 8 for _ in range(3)
        )
        self.tensors = [
            TensorType(
                (6, 8, 8), self.scale(), self.one(0, 2**self.source_bits - 1), self.source_bits
            )
        ]
        self.operations: list[Operation] = []

    def program(self, kind: type[Operation]) -> Program:
        if kind is Linear:
            self.append(Flatten("flatten", (0,)))
        elif kind in (Add, Concat, Mul):
            small = kind is Mul and self.one(0, 1)
            second = (
                MaxPool("gate", (0,), (8, 8), (1, 1), (0, 0))
                if small
                else Gather("second", (0,), self.indices(6))
            )
            self.append(second)
        self.append(self.drawn(kind))
        self.append(Flatten("flatten", (len(self.operations),)))
        return Program(tuple(self.tensors), tuple(self.operations))

    def drawn(self, kind: type[Operation]) -> Operation:  # noqa: C901 - one case an operation
        name, last = kind.__name__.lower(), (len(self.operations),)
        if kind is Conv:
            groups = self.choice(1, 2, 6)
            weights = self.weights((12, 6 // groups, 3, 3))
            return Conv(name, last, *self.layer(weights), (1, 2), (1, 0), (2, 1), groups)
        if kind is Linear:
            return Linear(name, last, *self.layer(self.weights((12, 384))))
        if kind in (Add, Concat):
            sources = (0, 1, 0)[: self.choice(2, 3)]
            return (Add if kind is Add else Concat)(
                name, sources, self.scaling(self.rng.uniform(0.2, 0.6, len(sources)))
            )
        if kind is Mul:
            return Mul(name, (0, 1), self.scaling(np.array([2.1 / 2**self.source_bits])))
        if kind is AvgPool:
            kernel = self.choice((2, 2), (3, 3), (3, 2), (8, 8))
            padding = (0, 0) if kernel == (8, 8) else (1, 1)
            return AvgPool(
                name,
                last,
                kernel,
                (2, 2),
                padding,
                self.scaling(np.array([0.9 / kernel[0] / kernel[1]])),
            )
        if kind is MaxPool:
            return MaxPool(name, last, (3, 3), (2, 2), (1, 1))
        if kind is Gather:
            return Gather(name, last, self.indices(9))
        if kind is Upsample:
            return Upsample(name, last, 3)
        if kind is Pad:
            return Pad(name, last, self.choice((1, 0), (2, 2)), self.choice((0, 0), (3, 1)))
        if kind is PRelu:
            slopes = self.rng.uniform(-1.0, 1.0, 6) * 2.0 ** (self.bits - self.source_bits)
            gain = self.scaling(np.array([0.9]))
            return PRelu(name, last, gain, np.rint(slopes * 2.0**gain.shift / 2).astype(np.int32))
        if kind is Lut:
            return Lut(
                name, last, self.rng.integers(0, 2**self.bits, 2**self.source_bits).astype(np.uint8)
            )
        return Flatten(name, last)

    def layer(self, weights: NDArray[np.int8]) -> tuple[Scaling, IntegerWeights, NDArray[np.int32]]:
        zeros, levels = None, weights.astype(np.int16)
        if self.affine and self.weight_bits > 1:
            # ONNX Runtime takes one zero point for all channels of 8 bits.
            zeros = self.rng.integers(
                0, 2**self.weight_bits, 1 if self.weight_bits == 8 else len(weights)
            ).astype(np.uint8)
            zeros = np.resize(zeros, len(weights))
            levels = unwrapped(weights, self.weight_bits, zeros)
        deviation = np.sqrt(
            (levels.astype(np.float64) ** 2).sum(tuple(range(1, weights.ndim))).clip(1)
        )
        biases = self.rng.integers(-(2**self.bits) * 64, 2**self.bits * 64, len(weights)).astype(
            np.int32
        )
        # Half of the biases end in half a step, which a channel of zeros must round up.
        biases = np.where(biases % 2, biases, biases // 256 * 256 + 128).astype(np.int32)
        scaling = self.scaling(self.rng.uniform(0.3, 1.0, len(weights)) / deviation)
        return scaling, IntegerWeights(weights, self.weight_bits, zeros), biases

    def weights(self, shape: tuple[int, ...]) -> NDArray[np.int8]:
        top = max(1, 2 ** (self.weight_bits - 1) - 1)
        levels = self.rng.integers(-top, top + 1, shape)
        return (np.where(levels < 0, -1, 1) if self.weight_bits == 1 else levels).astype(np.int8)

    def scaling(self, factors: NDArray[np.float64]) -> Scaling:
        """Multipliers for factors between tensors of as many bits, and limits at or inside those of
        the result.
        """
        top = 2**self.bits - 1
        low, high = (top // 8, top - top // 4) if self.one(0, 1) else (0, top)
        return scaling(factors * 2.0 ** (self.bits - self.source_bits), (low, high))

    def append(self, operation: Operation) -> None:
        shape = operation.result_shape([self.tensors[source].shape for source in operation.inputs])
        source = self.tensors[operation.inputs[0]]
        if isinstance(operation, SameScale):
            self.tensors.append(dataclasses.replace(source, shape=shape))
        else:
            self.tensors.append(
                TensorType(shape, self.scale(), self.one(0, 2**self.bits - 1), self.bits)
            )
        self.operations.append(operation)

    def indices(self, count: int) -> NDArray[np.int32]:
        return self.rng.integers(0, 6, count).astype(np.int32)

    def scale(self) -> float:
        return float(np.float32(self.rng.uniform(0.001, 0.1)))

    def one(self, low: int, high: int) -> int:
        return int(self.rng.integers(low, high + 1))

    def choice(self, *options: Any) -> Any:
        return options[self.one(0, len(options) - 1)]


@pytest.mark.parametrize("kind", OPERATIONS, ids=lambda kind: kind.__name__)
def test_every_operation_gives_the_same_integers(kind: type[Operation]) -> None:
    apart = [steps_apart(Drawn(seed).program(kind), seed) for seed in range(12)]
    assert max(each.max() for each in apart) <= 1
    # Programs round half a step up, ONNX rounds it to even, and its reals have 32 bits only.
    assert np.mean([(each == 0).mean() for each in apart]) >= 0.9995


@pytest.mark.parametrize("kind", [Conv, Linear])
def test_weights_with_zero_points_give_the_same_integers(kind: type[Operation]) -> None:
    apart = [steps_apart(Drawn(seed, affine=True).program(kind), seed) for seed in range(20)]
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
        assert steps_apart(program, 0).max() <= 1
        assert (steps_apart(program, 0) == 0).mean() > 0.95
        model = to_onnx(program)
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


def test_zero_points_of_8_bits_that_no_common_one_serves_are_refused() -> None:
    for zeros in ([127, 129], [0, 255], [10, 11]):
        with pytest.raises(
            UnsupportedError,
            match=r"'conv' must have weights that one zero point .* use 7 bits, symmetric weights",
        ):
            to_onnx(affine(8, zeros))
    program = affine(8, [127, 129])
    conv = program.operations[0]
    assert isinstance(conv, Conv)
    # Narrower levels fit one common zero point.
    halves = dataclasses.replace(conv.weights, values=conv.weights.values // np.int8(2))
    narrow = dataclasses.replace(conv, weights=halves)
    assert steps_apart(flattened(list(program.tensors[:2]), narrow), 0).max() <= 1


def test_random_programs_give_the_same_integers(build: Build) -> None:
    same = []
    for seed in range(60):
        builder = build((3, 5, 4), seed)
        # ONNX Runtime takes one zero point for all channels of 8 bits.
        builder.zero_points = lambda count, bits, one=builder.one: np.full(
            count, one(0, 2**bits - 1), np.uint8
        )
        for kind in np.random.default_rng(seed).permutation(len(OPERATIONS))[:6]:
            if OPERATIONS[kind] not in (
                MaxPool,
                AvgPool,
            ):  # the interpreter cannot pad more than half a window
                builder.grow(OPERATIONS[kind])
        apart = steps_apart(builder.program(), seed)
        assert apart.max() <= 1
        same.append((apart == 0).mean())
    assert np.mean(same) >= 0.999


@pytest.mark.parametrize("weight", [127, -127])
def test_the_largest_products_do_not_saturate(weight: int) -> None:
    weights, biases = (
        np.full((16, 32, 3, 3), weight, np.int8),
        np.full(16, 0 if weight > 0 else 250 * 256, np.int32),
    )
    image, result = TensorType((32, 4, 4), 1.0, 0), TensorType((16, 4, 4), 1.0, 0)
    kernels = IntegerWeights(weights, 8)
    conv = Conv("conv", (0,), largest(32 * 9, 16), kernels, biases, (1, 1), (1, 1), (1, 1), 1)
    assert_same(flattened([image, result], conv))
    rows = IntegerWeights(weights.reshape(16, 288), 8)
    linear = Linear("linear", (0,), largest(288, 16), rows, biases)
    assert_same(flattened([TensorType((288,), 1.0, 0), TensorType((16,), 1.0, 0)], linear))


@pytest.mark.parametrize("zero", [0, 1, 200])
@pytest.mark.parametrize("margins", [((0, 1), (0, 1)), ((3, 0), (0, 5))])
def test_margins_as_wide_as_windows_are_kept(
    zero: int, margins: tuple[tuple[int, int], tuple[int, int]]
) -> None:
    tensors = [TensorType((2, 6, 6), 0.5, zero)]
    readers = (
        MaxPool("reader", (1,), (2, 2), (1, 1), (1, 0)),
        AvgPool("reader", (1,), (3, 3), (1, 1), (1, 0), scaling(np.array([1 / 9]), (0, 255))),
    )
    for reader in readers:
        types, operations = list(tensors), (Pad("pad", (0,), *margins), reader)
        for operation in operations:
            shape = operation.result_shape([types[-1].shape])
            types.append(dataclasses.replace(types[-1], shape=shape))
        assert steps_apart(flattened(types, *operations), 0).max() == 0


def largest(terms: int, channels: int) -> Scaling:
    """The scaling that brings a sum of the largest products to 200."""
    return scaling(np.full(channels, 200 / (terms * 255 * 127)), (0, 255))


def flattened(tensors: list[TensorType], *operations: Operation) -> Program:
    last = tensors[-1]
    flat = dataclasses.replace(last, shape=(last.size,))
    return Program((*tensors, flat), (*operations, Flatten("flatten", (len(operations),))))


def assert_same(program: Program) -> None:
    inputs = np.full((2, *program.tensors[0].shape), 255, np.float32)
    np.testing.assert_array_equal(
        run_onnx(to_onnx(program), inputs), logits(program, torch.from_numpy(inputs))
    )


@pytest.mark.parametrize("bits", range(1, 9))
def test_narrow_tensors_and_clamps_are_kept(bits: int) -> None:
    top = 2**bits - 1
    low, high = top // 4, top - top // 4
    identity, biases = (
        np.eye(6, dtype=np.int8).reshape(6, 6, 1, 1),
        np.arange(6).astype(np.int32) * 300,
    )
    for limits in ((0, top), (low, high)):
        limited = Scaling(np.full(6, 2**15 - 1, np.uint16), 14, *limits)
        weights = IntegerWeights(identity, 2)
        conv = Conv("conv", (0,), limited, weights, biases, (1, 1), (0, 0), (1, 1), 1)
        program = flattened(
            [TensorType((6, 8, 8), 0.5, 128), TensorType((6, 8, 8), 0.25, low, bits)], conv
        )
        inputs = torch.linspace(-64, 64, 384).view(1, 6, 8, 8)
        found = np.rint(run_onnx(to_onnx(program), inputs.numpy()) / 0.25) + low
        assert (found.min(), found.max()) == limits
        np.testing.assert_array_equal(found, Interpreter(program).integers(inputs).numpy())


class Network(nn.Module):
    """Convolutions, depthwise too, a residual sum, a gate and two clamps."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU()
        )
        self.depthwise = nn.Sequential(
            nn.Conv2d(8, 8, 3, padding=1, groups=8, bias=False), nn.BatchNorm2d(8), nn.ReLU6()
        )
        self.pointwise = nn.Sequential(nn.Conv2d(8, 8, 1, bias=False), nn.BatchNorm2d(8))
        self.gate = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(8, 8, 1), nn.Sigmoid())
        self.last = nn.Sequential(
            nn.Conv2d(8, 16, 3, 2, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()
        )
        self.head = nn.Linear(16, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        y = self.pointwise(self.depthwise(x))
        y = y * self.gate(y)
        return self.head(self.last(x + y))  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def task() -> Task:
    return digits(generator(0, "digits"))


def trained(
    task: Task, bits: int, weight_bits: tuple[int, ...], method: WeightMethod, scales: Granularity
) -> Program:
    """The program of a network after a little training, with layers of these bits in turn."""
    with seeded(0):
        model: nn.Module = Network()
        layers = [
            (name, layer)
            for name, layer in model.named_modules()
            if isinstance(layer, (nn.Conv2d, nn.Linear))
        ]
        for index, (name, layer) in enumerate(layers):
            wide = weight_bits[index % len(weight_bits)]
            model.set_submodule(name, quantized_layer(layer, wide, method, scales))
        model = insert_quantizers(model, bits)
        calibrate(model, task.train.inputs[:64])
        shuffle = torch.Generator().manual_seed(0)
        fit(model, task, Recipe(), epochs=6, lr=0.01, loss=cross_entropy, generator=shuffle)
    return lower(model, task.train.inputs[:64])


@pytest.mark.parametrize(
    ("bits", "weight_bits", "method", "scales"),
    [
        (8, (8,), "max", "channel"),
        (8, (2, 4, 3, 6), "max", "channel"),
        (4, (4, 8, 2), "max", "channel"),
        (8, (2, 4, 3, 7), "affine", "channel"),
        (8, (8,), "affine", "tensor"),
    ],
)
def test_trained_networks_choose_the_same_class(
    task: Task, bits: int, weight_bits: tuple[int, ...], method: WeightMethod, scales: Granularity
) -> None:
    program = trained(task, bits, weight_bits, method, scales)
    inputs = torch.cat([task.train.inputs, task.validation.inputs, task.test.inputs])
    wanted, found = logits(program, inputs), run_onnx(to_onnx(program), inputs.numpy())
    right = (
        wanted.argmax(1)
        == torch.cat([task.train.labels, task.validation.labels, task.test.labels]).numpy()
    ).mean()
    assert right > 0.4  # well above chance
    assert (wanted.argmax(1) == found.argmax(1)).mean() >= 0.995


def test_the_model_says_what_it_takes_and_gives(build: Build) -> None:
    builder = build((3, 4, 4))
    builder.conv(0)
    builder.conv(1)
    program = builder.program()
    model = to_onnx(program)
    onnx.checker.check_model(model, full_check=True)
    assert [(opset.domain, opset.version) for opset in model.opset_import] == [("", 17)]
    (source,), (target,) = model.graph.input, model.graph.output
    assert (
        source.name,
        [d.dim_param or d.dim_value for d in source.type.tensor_type.shape.dim],
    ) == ("input", ["N", 3, 4, 4])
    sizes = [d.dim_param or d.dim_value for d in target.type.tensor_type.shape.dim]
    assert (target.name, sizes) == ("logits", ["N", program.tensors[-1].size])
    # Both are called conv in the program.
    assert {"conv", "conv.2", "flatten"} <= {
        name for node in model.graph.node for name in node.output
    }
    for count in (1, 5):
        assert run_onnx(model, np.zeros((count, 3, 4, 4), np.float32)).shape == (
            count,
            program.tensors[-1].size,
        )


def test_equal_programs_give_equal_bytes(build: Build) -> None:
    builder = build((3, 4, 4))
    for kind in OPERATIONS:
        builder.grow(kind)
    program = builder.program()
    stored = to_onnx(program).SerializeToString()
    assert (
        stored
        == to_onnx(program).SerializeToString()
        == to_onnx(copy.deepcopy(program)).SerializeToString()
    )


@pytest.mark.parametrize(
    ("bits", "affine"),
    [*((bits, False) for bits in range(1, 9)), *((bits, True) for bits in range(2, 8))],
)
def test_weights_are_integers_that_sum_in_16_bits_where_they_can(
    build: Build, bits: int, affine: bool
) -> None:
    builder = build((4, 3, 3))
    builder.conv(0, bits=bits, affine=affine)
    program = builder.program()
    (stored,) = (
        onnx.numpy_helper.to_array(t)
        for t in to_onnx(program).graph.initializer
        if t.name == "conv.levels"
    )
    conv = program.operations[0]
    assert isinstance(conv, Conv)
    assert stored.dtype == np.int8
    assert stored.shape == conv.weights.shape
    assert bits + affine == 8 or 2 * 255 * int(np.abs(stored.astype(int)).max()) < 2**15


def test_biases_are_whole_units_of_the_sums_that_a_kernel_adds_up() -> None:
    for bits, largest in ((1, 1), (2, 1), (4, 7), (7, 63), (8, 127)):
        gains = Scaling(np.array([2**15, 54321], np.uint16), 17, 0, 255)
        weights = IntegerWeights(np.full((2, 4), largest, np.int8), bits)
        linear = Linear("layer", (0,), gains, weights, np.array([37, -41], np.int32))
        model = to_onnx(Program((TensorType((4,), 0.5, 0), TensorType((2,), 0.25, 0)), (linear,)))
        constants = {
            tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer
        }
        units = constants["layer.bias"] / (constants["layer.scale"].astype(np.float64) * 0.5)
        np.testing.assert_allclose(units, [37, -41], rtol=1e-6)
