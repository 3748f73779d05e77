import pytest
import torch

from benchmarks.trained.cases import CASES
from compressors import quantize
from nas.lowering import lower_all_channels, snapped
from nas.packed import pack, unpack
from nas.seeds import seeded


@pytest.mark.parametrize(
    ("name", "shape", "parameters", "macs"),
    [
        ("resnet8", (1, 28, 28), 77_754, 9_345_920),
        ("lenet_300_100", (1, 28, 28), 266_610, 266_200),
        pytest.param("resnet18", (3, 32, 32), 701_466, 8_762_624, marks=pytest.mark.slow),
        ("mobilenet_v2", (3, 32, 32), 170_602, 4_968_064),
    ],
)
def test_networks_have_their_size_and_an_integer_program(
    name: str, shape: tuple[int, ...], parameters: int, macs: int
) -> None:
    with seeded(0):
        model, images = CASES[name].build(shape[0], 10), torch.rand(8, *shape)
    assert sum(parameter.numel() for parameter in model.parameters()) == parameters
    program = unpack(pack(lower_all_channels(snapped(quantize(model, 4, images)), images)))
    assert program.tensors[-1].shape == (10,)
    assert program.macs == macs


def test_lenet_refuses_other_images_and_classes() -> None:
    with pytest.raises(ValueError, match="one channel and ten classes, but got 3 and 10"):
        CASES["lenet_300_100"].build(3, 10)
