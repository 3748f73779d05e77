"""The examples in docstrings."""

import doctest
from types import ModuleType

import pytest

from compressors import (
    joint,
    post_training,
    quantization,
    reconstruction,
    sharing,
)
from compressors.allocation import allocate
from nas.space import choice, design


@pytest.mark.parametrize(
    "module",
    [allocate, joint, post_training, quantization, reconstruction, sharing, choice, design],
)
def test_the_examples_in_docstrings_are_correct(module: ModuleType) -> None:
    result = doctest.testmod(module)
    assert result.attempted > 0
    assert result.failed == 0
