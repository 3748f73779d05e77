from dataclasses import replace

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import nn

from nas.lowering.lower import lower
from nas.packed.pack import flash_bytes
from nas.program.dead_channels import without_dead_channels
from nas.program.interpreter import Interpreter
from nas.program.operations import Add, Concat, Conv, Flatten, Layer, Linear, Operation, Pad, PRelu
from nas.program.program import Program
from nas.program.scaling import Scaling
from nas.program.tensors import TensorType
from nas.program.weights import IntegerWeights

BYTE = TensorType((1,), 0.5, 7)


def with_dead_channels(program: Program, seed: int) -> Program:
    """The program with clamps that include zero points, and about half of the channels of its
    layers dead.
    """
    rng, operations = np.random.default_rng(seed), list[Operation]()
    for operation, result in zip(program.operations, program.tensors[1:], strict=True):
        scaling = getattr(operation, "scaling", None)
        if scaling is not None:
            low, high = min(scaling.low, result.zero), max(scaling.high, result.zero)
            operation = replace(operation, scaling=replace(scaling, low=low, high=high))  # type: ignore[call-arg]
        if isinstance(operation, Layer) and operation.weights.bits > 1:
            alive = rng.integers(0, 2, len(operation.biases))
            operation = replace(
                operation,
                weights=operation.weights.cleared(alive == 0),
                biases=(operation.biases * alive).astype(np.int32),
            )
        operations.append(operation)
    return Program(program.tensors, tuple(operations))


def outputs(program: Program) -> NDArray[np.int64]:
    first = program.tensors[0]
    whole = np.random.default_rng(0).integers(0, first.top + 1, (16, *first.shape))
    found: NDArray[np.int64] = (
        Interpreter(program)
        .integers(torch.from_numpy((whole - first.zero) * first.scale).float())
        .numpy()
    )
    return found


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_outputs_stay_what_they_were(
    programs: st.SearchStrategy[Program], data: st.DataObject
) -> None:
    program = with_dead_channels(data.draw(programs), data.draw(st.integers(0, 99)))
    smaller = without_dead_channels(program)
    np.testing.assert_array_equal(outputs(smaller), outputs(program))
    assert flash_bytes(smaller) <= flash_bytes(program)
    assert without_dead_channels(smaller).tensors == smaller.tensors


def conv(
    source: int, weights: NDArray[np.int64], biases: tuple[int, ...], groups: int = 1, low: int = 0
) -> Conv:
    scaling = Scaling(np.full(len(weights), 2**12, np.uint16), 16, low, 255)
    pointwise = weights.astype(np.int8)[:, :, np.newaxis, np.newaxis]
    return Conv(
        "conv",
        (source,),
        scaling,
        IntegerWeights(pointwise, 8),
        np.array(biases, np.int32),
        (1, 1),
        (0, 0),
        (1, 1),
        groups,
    )


def image(channels: int) -> TensorType:
    return replace(BYTE, shape=(channels, 2, 2))


ONES = np.ones((3, 2), np.int64)
# The middle one of three channels is dead.
ONE_DEAD = np.array([[1, 2], [0, 0], [3, -1]])


def shapes(program: Program) -> list[tuple[int, ...]]:
    return [tensor.shape for tensor in without_dead_channels(program).tensors]


def ended(tensors: list[TensorType], *operations: Operation) -> Program:
    """A program that ends in a Flatten and a matrix product."""
    features = tensors[-1].size
    head = Linear(
        "head",
        (len(operations) + 1,),
        scaling_of(2),
        IntegerWeights(np.ones((2, features), np.int8), 8),
        np.zeros(2, np.int32),
    )
    types = (*tensors, replace(BYTE, shape=(features,)), replace(BYTE, shape=(2,)))
    return Program(types, (*operations, Flatten("flatten", (len(operations),)), head))


def scaling_of(count: int) -> Scaling:
    return Scaling(np.full(count, 2**12, np.uint16), 16, 0, 255)


def test_a_dead_channel_is_removed_from_its_layer_and_the_next() -> None:
    program = ended([image(2), image(3)], conv(0, ONE_DEAD, (0, 0, 5)))
    assert shapes(program) == [(2, 2, 2), (2, 2, 2), (8,), (2,)]


def test_a_constant_channel_other_than_zero_stays() -> None:
    program = ended([image(2), image(3)], conv(0, ONE_DEAD, (0, 99, 5)))
    assert without_dead_channels(program) is program


def test_a_channel_that_is_clamped_to_zero_for_every_input_is_removed() -> None:
    # The sums lie in -14 … 496 and -21 … 744 … and the bias of the first takes all of them below
    # the zero point.
    program = ended([image(2), image(3)], conv(0, ONES, (-497, -400, 0), low=7))
    assert shapes(program)[1] == (2, 2, 2)
    alive = ended([image(2), image(3)], conv(0, ONES, (-480, -400, 0), low=7))
    assert shapes(alive)[1] == (3, 2, 2)


def test_channels_are_judged_by_what_their_weights_stand_for() -> None:
    # Of 4 bits, -8 and 1 are 8 and 1 with the zero point 0, and -8 and -15 with 15: sums of at most
    # 2232, 161, and 304 with 8.
    first = conv(0, np.array([[-8, 1]] * 3), (0, 0, 0), low=7)
    # Biases are in quarters of a sum.
    for zeros, biases, alive in (
        ([0, 15, 8], [-7600, -7600, -1240], [0]),
        ([15, 0, 8], [-7600, -7600, -1160], [1, 2]),
        ([8, 8, 0], [-1240, -1160, -8880], [1, 2]),
        ([8, 15, 0], [-1160, -660, -8960], [0]),
    ):
        points = np.array(zeros, np.uint8)
        weights = replace(first.weights, bits=4, zero_points=points)
        affine = replace(first, weights=weights, biases=np.array(biases, np.int32))
        program = ended([image(2), image(3)], affine)
        smaller = without_dead_channels(program)
        np.testing.assert_array_equal(outputs(smaller), outputs(program))
        found = smaller.operations[0]
        assert isinstance(found, Conv)
        assert found.weights.zero_points is not None
        assert found.weights.zero_points.tolist() == points[alive].tolist()
        assert found.biases.tolist() == [biases[channel] for channel in alive]


def test_channels_that_only_read_dead_ones_are_removed_too() -> None:
    second = np.array([[0, 5, 0], [1, 1, 1]])
    program = ended(
        [image(2), image(3), image(2)], conv(0, ONE_DEAD, (0, 0, 5)), conv(1, second, (0, 0))
    )
    assert shapes(program) == [(2, 2, 2), (2, 2, 2), (1, 2, 2), (4,), (2,)]


def test_a_depthwise_channel_goes_with_what_it_reads() -> None:
    depthwise = conv(1, np.ones((3, 1), np.int64), (0, 0, 0), groups=3)
    program = ended([image(2), image(3), image(3)], conv(0, ONE_DEAD, (0, 0, 5)), depthwise)
    assert shapes(program)[1:3] == [(2, 2, 2), (2, 2, 2)]
    shrunk = without_dead_channels(program).operations[1]
    assert isinstance(shrunk, Conv)
    assert (shrunk.groups, shrunk.weights.shape) == (2, (2, 1, 1, 1))


def test_a_residual_channel_is_removed_only_if_all_summands_are_dead() -> None:
    add = Add("add", (1, 2), scaling_of(2))
    types = [image(2), image(3), image(3), image(3)]
    both = ended(types, conv(0, ONE_DEAD, (0, 0, 5)), conv(0, ONE_DEAD, (0, 0, 5)), add)
    assert shapes(both)[1:4] == [(2, 2, 2)] * 3
    one = ended(types, conv(0, ONE_DEAD, (0, 0, 5)), conv(0, ONES, (0, 0, 5)), add)
    assert without_dead_channels(one) is one


def test_channels_of_a_concat_go_one_by_one() -> None:
    concat = Concat("concat", (1, 2), scaling_of(2))
    types = [image(2), image(3), image(3), image(6)]
    program = ended(types, conv(0, ONE_DEAD, (0, 0, 5)), conv(0, ONES, (0, 0, 5)), concat)
    assert shapes(program)[1:4] == [(2, 2, 2), (3, 2, 2), (5, 2, 2)]


def test_slopes_go_with_their_channels() -> None:
    prelu = PRelu("prelu", (1,), scaling_of(1), np.array([7, -8, 9], np.int32))
    program = ended([image(2), image(3), image(3)], conv(0, ONE_DEAD, (0, 0, 5)), prelu)
    smaller = without_dead_channels(program)
    assert [tensor.shape for tensor in smaller.tensors[1:3]] == [(2, 2, 2)] * 2
    left = smaller.operations[1]
    assert isinstance(left, PRelu)
    assert left.slopes.tolist() == [7, 9]
    np.testing.assert_array_equal(outputs(smaller), outputs(program))


def test_a_padded_channel_is_as_dead_as_before() -> None:
    pad, padded = Pad("pad", (1,), (1, 0), (0, 2)), replace(BYTE, shape=(3, 3, 4))
    program = ended([image(2), image(3), padded], conv(0, ONE_DEAD, (0, 0, 5)), pad)
    smaller = without_dead_channels(program)
    assert [tensor.shape for tensor in smaller.tensors[1:4]] == [(2, 2, 2), (2, 3, 4), (24,)]
    np.testing.assert_array_equal(outputs(smaller), outputs(program))


def test_a_layer_keeps_a_channel_even_if_all_are_dead() -> None:
    program = ended([image(2), image(3)], conv(0, np.zeros((3, 2), np.int64), (0, 0, 0)))
    assert shapes(program)[1] == (1, 2, 2)


def test_inputs_and_classes_all_stay() -> None:
    weights = IntegerWeights(np.zeros((3, 4), np.int8), 8)
    silent = Linear("head", (0,), scaling_of(3), weights, np.zeros(3, np.int32))
    program = Program((replace(BYTE, shape=(4,)), replace(BYTE, shape=(3,))), (silent,))
    assert without_dead_channels(program) is program


def test_lowering_leaves_dead_channels_out() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Conv2d(4, 5, 3), nn.ReLU(), nn.Flatten(), nn.Linear(20, 3)
    )
    images = torch.rand(16, 1, 6, 6)
    for layer, channel in ((0, 1), (2, 4)):
        with torch.no_grad():
            model.get_submodule(str(layer)).get_parameter("weight")[channel] = 0
            model.get_submodule(str(layer)).get_parameter("bias")[channel] = -0.1
    program = lower(model, images)
    assert [tensor.shape for tensor in program.tensors] == [
        (1, 6, 6),
        (3, 4, 4),
        (4, 2, 2),
        (16,),
        (3,),
    ]
    with torch.inference_mode():
        assert (Interpreter(program)(images) - model(images)).abs().max() < 0.1


def test_masks_lose_the_channels_that_the_weights_lose() -> None:
    first = conv(0, np.array([[1, 2], [0, 0], [3, 0]]), (0, 0, 0))
    second = conv(1, np.array([[1, 5, 0], [2, 5, 3]]), (0, 0))
    masks = [operation.weights.values != 0 for operation in (first, second)]
    masks[0][2, 1] = True  # kept, though it is 0
    tensor = TensorType((2, 1, 1), 1.0, 0)
    layers = tuple(
        replace(operation, weights=replace(operation.weights, kept=mask))
        for operation, mask in zip((first, second), masks, strict=True)
    )
    tensors = (tensor, replace(tensor, shape=(3, 1, 1)), tensor, replace(tensor, shape=(2,)))
    program = Program(tensors, (*layers, Flatten("flatten", (2,))))
    smaller = without_dead_channels(program)
    kept = [
        operation.weights.kept for operation in smaller.operations if isinstance(operation, Conv)
    ]
    assert kept[0] is not None
    assert kept[1] is not None
    assert kept[0][:, :, 0, 0].tolist() == [[True, True], [True, True]]
    assert kept[1][:, :, 0, 0].tolist() == [[True, False], [True, True]]
