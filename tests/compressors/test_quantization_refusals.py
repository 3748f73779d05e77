from typing import Any

import pytest
from torch import nn

from compressors.quantization import Quantization
from nas.quantize import UnsupportedError
from tests.compressors.quantization_networks import IMAGES, network


def test_operations_without_an_integer_form_are_refused() -> None:
    model = nn.Sequential(network(), nn.Softmax(1), nn.ReLU())
    with pytest.raises(
        UnsupportedError,
        match=r"must have an integer form, but '1' is a Softmax; these modules have one: .*Conv2d",
    ):
        Quantization().apply(model, {"": 4}, IMAGES)


@pytest.mark.parametrize("bits", [9, 0, -4, True, False, 4.0, "4", None])
def test_other_bit_widths_are_refused_with_their_site(bits: Any) -> None:
    with pytest.raises(
        ValueError, match=rf"bits must be one of \(1, 2, .*, 8\), but got {bits!r} at 'b.2'"
    ):
        Quantization().apply(network(), {"a": 4, "b.2": bits}, IMAGES)
    with pytest.raises(ValueError, match=f"but got {bits!r} at 'activations'"):
        Quantization(activation_bits=bits)


def test_tensors_of_one_bit_are_refused() -> None:
    with pytest.raises(
        ValueError, match=r"bits must be one of \(2, .*, 8\), but got 1 at 'activations'"
    ):
        Quantization(activation_bits=1)


WRONG: list[tuple[dict[str, Any], str]] = [
    (
        {"weights": "asymmetric"},
        r"weights must be one of \('max', 'lsq', 'ternary', 'affine', 'mse', 'affine_mse'\), but got 'asymmetric'",
    ),
    (
        {"weight_scales": "group"},
        r"weight_scales must be one of \('channel', 'tensor'\), but got 'group'",
    ),
    (
        {"activations": "dynamic"},
        r"activations must be one of \('widest', .*'lsq'\), but got 'dynamic'",
    ),
    ({"ranges": "kl"}, r"ranges must be one of \('minmax', .*\), but got 'kl'"),
    (
        {"ranges": "entropy"},
        r"ranges must be one of \('minmax',\) where activations are 'widest'.*'fixed'.*but got 'entropy'",
    ),
]


@pytest.mark.parametrize(("options", "message"), WRONG)
def test_other_options_are_refused_with_the_alternatives(
    options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        Quantization(**options)


def test_a_site_that_is_not_there_is_refused() -> None:
    with pytest.raises(ValueError, match=r"must name a module of the network, .* but got 'c'"):
        Quantization().apply(network(), {"c": 4}, IMAGES)
