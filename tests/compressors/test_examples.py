"""The examples in docstrings."""

import doctest
from types import ModuleType

import pytest

from compressors import joint, post_training, quantization, sharing


@pytest.mark.parametrize("module", [joint, post_training, quantization, sharing])
def test_examples_say_what_they_show(module: ModuleType) -> None:
    result = doctest.testmod(module)
    assert result.attempted > 0
    assert result.failed == 0
