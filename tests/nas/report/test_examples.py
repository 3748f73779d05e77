"""The examples in docstrings."""

import doctest
from types import ModuleType

import pytest

from nas.report import figures, markup


@pytest.mark.parametrize("module", [figures, markup])
def test_the_examples_in_docstrings_are_correct(module: ModuleType) -> None:
    result = doctest.testmod(module)
    assert result.attempted > 0
    assert result.failed == 0
