import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import strategies as st

from nas.program.program import Program
from nas.program.scaling import Scaling
from nas.program.weights import IntegerWeights
from tests.nas.program_builder import APPEND, Builder, numbers_from


@st.composite
def _programs(draw: st.DrawFn) -> Program:
    dimension = st.integers(1, 6)
    shape = draw(st.tuples(dimension, dimension, dimension) | st.tuples(dimension))
    builder = Builder(shape, numbers_from(draw(st.integers(0, 2**31))))
    for kind in draw(st.lists(st.sampled_from([*APPEND]), max_size=12)):
        builder.grow(kind)
    return builder.program()


def _assert_same(found: Program, wanted: Program) -> None:
    """Asserts that all but the names of operations is equal."""
    assert found.tensors == wanted.tensors
    assert list(map(type, found.operations)) == list(map(type, wanted.operations))
    for one, other in zip(found.operations, wanted.operations, strict=True):
        for field in dataclasses.fields(one):
            if field.name != "name":
                _assert_equal(getattr(one, field.name), getattr(other, field.name))


def _assert_equal(one: object, other: object) -> None:
    assert type(one) is type(other)
    if isinstance(one, (Scaling, IntegerWeights)):
        for field in dataclasses.fields(one):
            _assert_equal(getattr(one, field.name), getattr(other, field.name))
    elif isinstance(one, np.ndarray):
        assert isinstance(other, np.ndarray)
        assert (one.dtype, one.shape) == (other.dtype, other.shape)
        np.testing.assert_array_equal(one, other)
    else:
        assert one == other


@pytest.fixture(scope="session")
def programs() -> st.SearchStrategy[Program]:
    """Valid programs with operations of all kinds."""
    return _programs()


@pytest.fixture(scope="session")
def build() -> Callable[..., Builder]:
    """A builder of programs for inputs of a shape, whose numbers follow from a seed."""
    return lambda shape, seed=0: Builder(shape, numbers_from(seed))


@pytest.fixture(scope="session")
def assert_same() -> Callable[[Program, Program], None]:
    """Asserts that two programs differ in the names of operations at most."""
    return _assert_same
