import pytest
import torch

from nas.quantize import Select


def test_entries_of_dimension_1_are_selected_in_order() -> None:
    x = torch.arange(24).view(2, 3, 4).float()
    assert torch.equal(Select([2, 0])(x), x[:, [2, 0]])
    assert Select([1])(x).shape == (2, 1, 4)


@pytest.mark.parametrize("indices", [[], [-1, 2]])
def test_missing_and_negative_indices_are_refused(indices: list[int]) -> None:
    with pytest.raises(ValueError, match="indices must be 0 or more, and at least one, but got"):
        Select(indices)
