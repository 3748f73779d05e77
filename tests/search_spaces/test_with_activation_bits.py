import doctest

import numpy as np
import pytest
import torch
from torch import nn

from compressors import ActivationBits, Quantization
from nas.space import Choice, Choices
from nas.testing.space import check_space
from search_spaces import ConvBlocks, TrainedNetwork, WithActivationBits, with_activation_bits


def test_the_example_is_correct() -> None:
    assert doctest.testmod(with_activation_bits) == (0, 3)


def test_the_space_keeps_its_contract() -> None:
    space = WithActivationBits(ConvBlocks(widths=((4,), (4, 6)), stages=(1, 2)), (8, 4))
    compressors = (Quantization(), ActivationBits())
    check_space(space, torch.rand(4, 1, 8, 8), 3, np.random.default_rng(0), compressors)
    bits = [choice for choice in space.choices if choice.kind == "bits"]
    added = [choice for choice in space.choices if choice.kind == "activation_bits"]
    assert [choice.site for choice in added] == [choice.site for choice in bits[:-1]]
    assert [choice.when for choice in added] == [choice.when for choice in bits[:-1]]
    assert not space.comes_trained


def test_a_space_of_a_trained_network_stays_one() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 3))
    space = TrainedNetwork(model, Choices([Choice("1", "bits", (4, 8))]))
    assert WithActivationBits(space).comes_trained


@pytest.mark.parametrize("bits", [(), (1,), (8, 9)])
def test_other_bits_are_refused(bits: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="bits must be one or more of 2 … 8, but got"):
        WithActivationBits(ConvBlocks(), bits)
