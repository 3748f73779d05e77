import pytest

from nas.program.operations import (
    Add,
    Flatten,
    MaxPool,
    Operation,
)
from nas.program.tensors import Shape
from tests.nas.program.small_programs import add, conv, linear, program, scaling


@pytest.mark.parametrize(
    ("shape", "layer", "macs"),
    [
        ((4,), linear(4, 3), 4 * 3),
        ((1, 5, 5), conv((2, 1, 3, 3)), 2 * 9 * 3 * 3),
        ((1, 5, 5), conv((2, 1, 3, 3), padding=(1, 1)), 2 * 9 * 5 * 5),
        ((1, 5, 5), conv((2, 1, 3, 3), padding=(1, 1), stride=(2, 2)), 2 * 9 * 3 * 3),
        ((1, 5, 5), conv((2, 1, 3, 3), dilation=(2, 2)), 2 * 9 * 1 * 1),
        ((1, 5, 5), conv((2, 1, 1, 5)), 2 * 5 * 5 * 1),
        ((6, 5, 5), conv((4, 3, 3, 3), groups=2), 4 * 3 * 9 * 3 * 3),
        ((6, 5, 5), conv((6, 1, 3, 3), groups=6, padding=(1, 1)), 6 * 9 * 5 * 5),
        ((1, 5, 5), MaxPool("pool", (0,), (2, 2), (2, 2), (0, 0)), 0),
        ((4,), Add("add", (0, 0), scaling(2)), 0),
    ],
)
def test_the_macs_of_one_sample(shape: Shape, layer: Operation, macs: int) -> None:
    operations = (layer, Flatten("flatten", (1,))) if len(shape) == 3 else (layer,)
    assert program(shape, *operations).macs == macs


def test_macs_add_up() -> None:
    assert (
        program((1, 5, 5), conv((2, 1, 3, 3)), Flatten("flatten", (1,)), linear(18, 3, 2)).macs
        == 162 + 54
    )


@pytest.mark.parametrize(
    ("size", "operations", "peak"),
    [
        (
            4,
            (linear(4, 10), linear(10, 20, 1), linear(20, 5, 2)),
            30,
        ),  # each result is freed once it is read
        (100, (linear(100, 10), linear(10, 8, 1)), 110),
        (4, (linear(4, 10), linear(10, 10, 1), add(1, 2), linear(10, 1, 3)), 30),  # a residual sum
        (6, (linear(6, 10), linear(6, 10), add(1, 2)), 30),  # the input is read twice
        (
            5,
            (linear(5, 10), linear(5, 3), linear(3, 1, 2)),
            15,
        ),  # nothing reads the first: it goes at once
        (2, (linear(2, 7),), 9),
    ],
)
def test_the_peak_is_the_most_that_is_alive_at_once(
    size: int, operations: tuple[Operation, ...], peak: int
) -> None:
    assert program((size,), *operations).peak_memory == peak


def test_flattening_takes_no_memory() -> None:
    assert (
        program(
            (1, 5, 5), conv((2, 1, 3, 3)), Flatten("flatten", (1,)), linear(18, 3, 2)
        ).peak_memory
        == 25 + 18
    )
    assert (
        program((1, 4, 4), Flatten("flatten", (0,)), linear(16, 8, 1), linear(8, 3, 2)).peak_memory
        == 24
    )
    # What was flattened stays where something reads it in its old shape.
    twice = (
        Flatten("flatten", (0,)),
        linear(16, 8, 1),
        Flatten("again", (0,)),
        linear(16, 8, 3),
        add(2, 4),
    )
    assert program((1, 4, 4), *twice).peak_memory == 16 + 8 + 8
