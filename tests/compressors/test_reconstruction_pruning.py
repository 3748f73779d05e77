import copy

import pytest
import torch
from torch import Tensor, nn

from compressors import ChannelPruning, ReconstructionPruning, widths
from compressors.pruning import prunable
from nas.layers import named_layers
from nas.seeds import seeded
from tests.compressors.pruning_cases import CASES, Case
from tests.compressors.pruning_networks import named, residual, shuffle_unit

IMAGES = torch.randn(12, 3, 8, 8, generator=torch.Generator().manual_seed(0))


def built(case: Case) -> nn.Module:
    with seeded(1):
        return case.build().eval()


def error(model: nn.Module, original: nn.Module, images: Tensor) -> float:
    with torch.no_grad():
        return float((model(images) - original(images)).square().mean())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.build.__name__)
def test_widths_are_those_of_channel_pruning(case: Case) -> None:
    model = built(case)
    pruned = ReconstructionPruning().apply(copy.deepcopy(model), case.ratios, IMAGES)
    plain = ChannelPruning(unstated="follow").apply(model, case.ratios, IMAGES)
    assert widths(pruned) == widths(plain)
    assert case.widths.items() <= widths(pruned).items()


@pytest.mark.parametrize("ratio", [0.25, 0.5])
def test_refitting_keeps_more_of_a_residual_network(ratio: float) -> None:
    with seeded(2):
        model = residual().eval()
    images = torch.randn(64, 3, 8, 8, generator=torch.Generator().manual_seed(3))
    ratios = {group[0]: ratio for group in prunable(model, images[:2])}
    plain, refitted = (
        compressor.apply(copy.deepcopy(model), ratios, images)
        for compressor in (ChannelPruning(unstated="follow"), ReconstructionPruning())
    )
    others = torch.randn(64, 3, 8, 8, generator=torch.Generator().manual_seed(4))
    assert error(refitted, model, others) < 0.5 * error(plain, model, others)


@pytest.mark.parametrize("bias", [True, False])
def test_channels_that_others_give_are_removed_without_error(bias: bool) -> None:
    """Channel 2 is channel 0, and channel 3 the sum of channels 0 and 1, before a linear reader."""
    with seeded(3):
        model = named(a=nn.Conv2d(3, 4, 3), pool=nn.Flatten(), head=nn.Linear(4 * 36, 5, bias=bias))
    with torch.no_grad():
        for values in (model.get_submodule("a").weight, model.get_submodule("a").bias):
            assert isinstance(values, Tensor)
            values[2] = values[0]
            values[3] = values[0] + values[1]
    images = torch.randn(512, 3, 8, 8, generator=torch.Generator().manual_seed(3))
    pruned = ReconstructionPruning().apply(copy.deepcopy(model), {"a": 0.5}, images)
    assert widths(pruned) == {"a": 2, "head": 5}
    with torch.no_grad():
        scale = float(model(images).square().mean())
    assert error(pruned, model, images) < 1e-4 * scale
    plain = ChannelPruning().apply(copy.deepcopy(model), {"a": 0.5}, images)
    assert error(plain, model, images) > 1e-2 * scale


def test_padding_of_the_images_own_values_is_read_as_it_is() -> None:
    with seeded(5):
        reader = nn.Conv2d(6, 4, 3, padding=1, padding_mode="reflect")
        model = named(
            a=nn.Conv2d(3, 6, 1), relu=nn.ReLU(), b=reader, out=nn.Flatten(), head=nn.Linear(256, 3)
        )
    images = torch.randn(64, 3, 8, 8, generator=torch.Generator().manual_seed(3))
    pruned = ReconstructionPruning().apply(copy.deepcopy(model), {"a": 0.34}, images)
    plain = ChannelPruning().apply(copy.deepcopy(model), {"a": 0.34}, images)
    assert error(pruned, model, images) < 0.7 * error(plain, model, images)


def test_an_activation_in_place_does_not_change_what_is_wanted() -> None:
    with seeded(6):
        layers = [nn.Conv2d(3, 6, 3), nn.ReLU(), nn.Conv2d(6, 5, 3), nn.ReLU(), nn.Flatten()]
        model = nn.Sequential(*layers, nn.Linear(80, 3)).eval()
    there = copy.deepcopy(model)
    there[1], there[3] = nn.ReLU(inplace=True), nn.ReLU(inplace=True)
    images = torch.randn(32, 3, 8, 8, generator=torch.Generator().manual_seed(3))
    pruned = [
        named_layers(ReconstructionPruning().apply(net, {"0": 0.5, "2": 0.4}, images))
        for net in (model, there)
    ]
    for name in ("0", "2", "5"):
        assert torch.equal(pruned[0][name].weight, pruned[1][name].weight)


def test_ratios_out_of_range_and_networks_that_reorder_are_refused() -> None:
    with seeded(7):
        model, shuffled = residual().eval(), shuffle_unit().eval()
    with pytest.raises(ValueError, match="pruning ratio must be at least 0 and below 1"):
        ReconstructionPruning().apply(model, {"stem": 1.0}, IMAGES)
    with pytest.raises(ValueError, match="layers whose channels are tied must have one width"):
        ReconstructionPruning().apply(shuffled, {"stem": 0.5}, IMAGES)


def test_few_examples_decide_about_nothing_but_widths() -> None:
    with seeded(2):
        model = residual().eval()
    few, plain = (
        compressor.apply(copy.deepcopy(model), {"stem": 0.5, "stage.0.first": 0.5}, IMAGES[:2])
        for compressor in (ReconstructionPruning(), ChannelPruning(unstated="follow"))
    )
    for ours, theirs in zip(few.parameters(), plain.parameters(), strict=True):
        assert torch.equal(ours, theirs)
