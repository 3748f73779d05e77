"""The examples in docstrings."""

import doctest
from types import ModuleType

import pytest

from nas.cli import experiment_options, metrics


@pytest.mark.parametrize("module", [experiment_options, metrics])
def test_the_examples_in_docstrings_are_correct(module: ModuleType) -> None:
    result = doctest.testmod(module)
    assert result.attempted > 0
    assert result.failed == 0
