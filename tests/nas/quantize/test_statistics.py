import copy

import pytest
import torch
from torch import Tensor, nn

from compressors import Quantization, quantize
from nas.layers import forward_hooks
from nas.quantize import channel_ends, match_statistics
from nas.seeds import seeded

IMAGES = torch.rand(64, 1, 8, 8, generator=torch.Generator().manual_seed(1))


def network(affine: bool = True) -> nn.Module:
    with seeded(0):
        return nn.Sequential(
            *(nn.Conv2d(1, 6, 3, bias=False), nn.BatchNorm2d(6, affine=affine), nn.ReLU()),
            *(nn.Conv2d(6, 8, 3, bias=False), nn.ReLU(), nn.Flatten(), nn.Linear(128, 5)),
        ).eval()


def statistics(model: nn.Module, names: list[str]) -> tuple[list[Tensor], list[Tensor]]:
    means, spreads = list[Tensor](), list[Tensor]()

    def record(_: nn.Module, __: object, output: Tensor) -> None:
        rows = output.transpose(0, 1).flatten(1)
        means.append(rows.mean(1))
        spreads.append(rows.std(1, correction=0))

    modules = [model.get_submodule(name) for name in names]
    with torch.no_grad(), forward_hooks((module, record) for module in modules):
        model(IMAGES)
    return means, spreads


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("scales", ["channel", "tensor"])
def test_channels_get_the_means_and_spreads_of_the_float_network(scales: str, affine: bool) -> None:
    model = network(affine)
    method = Quantization(weight_scales="tensor" if scales == "tensor" else "channel")
    quantized = quantize(model, 3, IMAGES, method)
    levels = [quantized.get_submodule(name).levels()[0] for name in "036"]  # type: ignore[operator]
    ends = list(channel_ends(quantized).values())
    assert ends == ["1", "3", "6"]
    match_statistics(quantized, model, IMAGES)
    for found, wanted in zip(
        *(statistics(net, ends)[0] for net in (quantized, model)), strict=True
    ):
        assert torch.allclose(found, wanted, atol=1e-4)
    spreads = list(zip(*(statistics(net, ends)[1] for net in (quantized, model)), strict=True))
    # Without normalization, a single scale for all channels cannot follow their spreads.
    for found, wanted in spreads if scales == "channel" else spreads[:1]:
        assert torch.allclose(found, wanted, rtol=1e-3, atol=1e-4)
    for name, before in zip("036", levels, strict=True):
        assert torch.equal(quantized.get_submodule(name).levels()[0], before)  # type: ignore[operator]


def test_a_network_of_eight_bits_stays_as_it_is() -> None:
    model = network()
    quantized = quantize(model, 8, IMAGES)
    before = copy.deepcopy(quantized)(IMAGES)
    match_statistics(quantized, model, IMAGES)
    match_statistics(quantized, model, IMAGES)
    assert torch.allclose(quantized(IMAGES), before, atol=0.02)


def test_constant_channels_are_finite() -> None:
    model = network()
    with torch.no_grad():
        model.get_parameter("0.weight")[2] = 0.0
        model.get_parameter("3.weight")[1] = 0.0
    quantized = quantize(model, 2, IMAGES)
    match_statistics(quantized, model, IMAGES)
    assert all(parameter.isfinite().all() for parameter in quantized.parameters())


def test_other_networks_are_refused() -> None:
    with pytest.raises(ValueError, match="must be traced by insert_quantizers"):
        match_statistics(network(), network(), IMAGES)
    with pytest.raises(ValueError, match=r"lacks \['1', '3', '6'\]"):
        match_statistics(quantize(network(), 3, IMAGES), nn.Sequential(nn.ReLU()), IMAGES)
