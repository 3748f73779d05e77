import numpy as np
import pytest

from nas.c.cortex_m import COMPILER, CORES, EMULATOR, instructions_of_steps
from nas.c.work import Work, works
from nas.lowering.scalings import scaling
from nas.program.operations import Conv, Operation
from nas.program.program import Program
from nas.program.tensors import TensorType
from nas.program.weights import IntegerWeights
from tests.nas.c.compiled import needs
from tests.nas.c.small_networks import convolutional
from tests.nas.onnx.drawn_programs import OPERATIONS, Drawn
from tests.nas.onnx.runtime_steps import flattened


def conv(bits: int, channels: int, results: int, groups: int = 1) -> Program:
    """A convolution of 3 x 3 pixels with padding on an image of 4 x 4."""
    shape = results, channels // groups, 3, 3
    gain = scaling(np.full(results, 1e-3), (0, 255))
    weights = IntegerWeights(np.ones(shape, np.int8), bits)
    biases = np.zeros(results, np.int32)
    layer = Conv("conv", (0,), gain, weights, biases, (1, 1), (1, 1), (1, 1), groups)
    image, result = (TensorType((count, 4, 4), 1.0, 0) for count in (channels, results))
    return flattened([image, result], layer)


def test_products_in_the_padding_are_not_counted() -> None:
    # 3 rows of a window at 2 of 4 places, and 2 rows at the other two, as of columns.
    rows = 3 + 3 + 2 + 2
    products = rows * rows * 8
    found = works(conv(8, channels=8, results=5))[1]
    # 3 pairs of channels: 2 whole ones and one channel.
    assert found == Work(
        "conv once", (1, 3, 3 * 16, 3 * rows * 4, 3 * products // 4, 0, 5 * 72, 0, 0)
    )


@pytest.mark.parametrize(
    ("bits", "unpacked"), [(8, (360, 0, 0)), (4, (360, 0, 0)), (3, (0, 360, 0)), (1, (0, 0, 360))]
)
def test_weights_are_unpacked_by_bytes_words_or_one_by_one(
    bits: int, unpacked: tuple[int, int, int]
) -> None:
    assert works(conv(bits, channels=8, results=5))[1].times[-3:] == unpacked


def test_a_depthwise_kernel_has_runs_of_four_channels_and_a_rest() -> None:
    found = works(conv(8, channels=6, results=6, groups=6))[1]
    assert found.kernel == "depthwise once"
    assert found.times[6:8] == (100, 2 * 100)


def test_the_call_copies_clamped_inputs_and_finds_the_largest_output() -> None:
    program = convolutional()
    assert works(program)[0] == Work("call once", (1, 0, 10))


@pytest.mark.parametrize("kind", OPERATIONS, ids=lambda kind: kind.__name__)
def test_every_operation_has_work(kind: type[Operation]) -> None:
    assert all(
        min(work.times) >= 0 and work.times[0] == 1 for work in works(Drawn(5).program(kind))
    )


@needs(COMPILER, EMULATOR)
def test_each_piece_of_work_is_counted() -> None:
    program = convolutional()
    counted = instructions_of_steps(program, CORES["cortex-m4"])
    assert len(counted) == len(works(program))
    assert min(counted[1:]) > 0
