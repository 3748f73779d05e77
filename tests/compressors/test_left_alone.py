"""Functions for all layers name those that they leave as they are."""

import warnings

import pytest
import torch
from torch import Tensor, nn

from compressors.factors import by_ratio
from compressors.low_rank import factorize
from compressors.sharing import share
from compressors.sparsity import sparsify

IMAGES = torch.rand(4, 3, 8, 8, generator=torch.Generator().manual_seed(0))


class Gained(nn.Module):
    """One gain for each channel: nothing that a compressor of layers would look at."""

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(8, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gain


def network(*middle: nn.Module) -> nn.Module:
    head = nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4)
    return nn.Sequential(nn.Conv2d(3, 8, 3), *middle, *head).eval()


def test_factorize_names_what_has_no_thinner_factors() -> None:
    with pytest.warns(UserWarning, match=r"^factorize leaves these layers as they are: 1$"):
        factorize(network(nn.Conv2d(8, 8, 3, groups=8)), by_ratio(0.2))


def test_layers_that_compressors_do_not_know_are_named() -> None:
    model = network(nn.ConvTranspose2d(8, 8, 1, padding=1))
    with pytest.warns(UserWarning, match=r"^sparsify leaves .*: 1 \(ConvTranspose2d\)$"):
        sparsify(model, 0.5, IMAGES)


def test_gains_of_channels_are_no_layers() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        share(network(Gained()), 16, IMAGES)
        sparsify(network(Gained(), nn.PReLU(8)), 0.5, IMAGES)


def test_layers_that_were_not_named_are_not_missed() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sparsify(network(nn.ConvTranspose2d(8, 8, 1, padding=1)), {"0": 0.5}, IMAGES)
