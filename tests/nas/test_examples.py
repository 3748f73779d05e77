"""The examples in docstrings."""

import doctest
from types import ModuleType

import pytest

from nas import file_metadata, html_table, standing
from nas.runs import settings


@pytest.mark.parametrize("module", [file_metadata, html_table, settings, standing])
def test_the_examples_in_docstrings_are_correct(module: ModuleType) -> None:
    result = doctest.testmod(module)
    assert result.attempted > 0
    assert result.failed == 0
