import copy

import numpy as np
import pytest
import torch
from torch import nn

from nas.lowering import lower, lower_all_channels, snapped
from nas.mask import WeightMask
from nas.program import Interpreter
from nas.program.operations import (
    Conv,
    PRelu,
)
from nas.quantize.weight_levels import Granularity, affine_levels
from tests.nas.lowering.lowering_networks import (
    IMAGES,
    NETWORKS,
    noise,
    normalized,
    quantized,
    sequence,
    steps,
)


def test_gains_fold_into_signs_and_multipliers() -> None:
    model = quantized(NETWORKS["folded"][0])
    first = lower(model, IMAGES).operations[0]
    assert isinstance(first, Conv)
    gains = torch.linspace(-1.5, 1.5, 5)
    gains[1] = 0.0
    plain = lower(quantized(sequence(NETWORKS["folded"][0].get_submodule("0"))), IMAGES).operations[
        0
    ]
    assert isinstance(plain, Conv)
    signs = gains.sign().numpy().astype(np.int8).reshape(-1, 1, 1, 1)
    np.testing.assert_array_equal(first.weights.values, plain.weights.values * signs)
    assert [multiplier > 1 for multiplier in first.scaling.multipliers] == [
        bool(gain) for gain in gains
    ]


@pytest.mark.parametrize("scales", ["channel", "tensor"])
@pytest.mark.parametrize("bits", range(2, 9))
def test_affine_weights_stand_for_the_levels_that_were_trained(
    bits: int, scales: Granularity
) -> None:
    network = copy.deepcopy(NETWORKS["folded"][0])
    conv, gains = network.get_submodule("0"), torch.linspace(-1.5, 1.5, 5)
    assert isinstance(conv, nn.Conv2d)
    with torch.no_grad():
        conv.weight[0].abs_()
        conv.weight[2].abs_().neg_()
        conv.weight[4] = 0.0
    model = quantized(network, bits, "affine", scales)
    first = lower_all_channels(model, IMAGES).operations[0]
    assert isinstance(first, Conv)
    wanted, _ = affine_levels(conv.weight, bits, scales)
    signs = gains.sign()
    signs[1] = 0.0  # its gain is 0, so it is a constant
    levels = first.weights.levels
    assert first.weights.zero_points is not None
    np.testing.assert_array_equal(levels, (wanted * signs.view(-1, 1, 1, 1)).numpy())
    if scales == "channel":  # weights of one sign have all levels on its side
        assert int(levels[0].min()) == -(2**bits - 1)
    plain = lower_all_channels(quantized(NETWORKS["folded"][0], bits), IMAGES).operations[0]
    assert isinstance(plain, Conv)
    assert plain.weights.zero_points is None


def test_masked_weights_stand_for_zero() -> None:
    model = sequence(nn.Conv2d(4, 6, 3), normalized(nn.BatchNorm2d(6)))
    conv = model.get_submodule("0")
    assert isinstance(conv.weight, nn.Parameter)
    with torch.no_grad():
        conv.weight.abs_()
    # Nothing is set to 0 before training, but the program is without it.
    conv.add_module(
        "mask", WeightMask(conv.weight, noise(6, 4, 3, 3), 100, None, lambda progress: progress)
    )
    first = lower_all_channels(quantized(model, 4, "affine"), IMAGES).operations[0]
    assert isinstance(first, Conv)
    levels, kept = first.weights.levels, first.weights.kept
    assert kept is not None
    assert (levels[~kept] == 0).all()
    assert (first.weights.values[~kept] == 0).all()
    assert np.count_nonzero(levels) > 60
    assert (levels[4:] >= 0).all()
    assert (levels[:2] <= 0).all()


def test_a_quantized_network_learns_slopes() -> None:
    model = quantized(NETWORKS["PReLU"][0]).train()
    before = model.get_parameter("1.weight").clone()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    model(IMAGES).mean().backward()
    optimizer.step()
    after = model.get_parameter("1.weight").detach()
    assert (after != before).all()
    program = lower_all_channels(snapped(model), IMAGES)
    prelu, (source, result) = program.operations[1], program.tensors[1:3]
    assert isinstance(prelu, PRelu)
    wanted = after.numpy() * source.scale / result.scale
    np.testing.assert_allclose(prelu.slope_factors, wanted, atol=2.0**-16)
    assert (steps(program, model, noise(40, 4, 8, 8, seed=9)) < 0.01).double().mean() >= 0.97


@pytest.mark.parametrize("slope", [0.0, 1e-6, -3.0, 1e7])
def test_slopes_of_any_size_have_an_integer_form(slope: float) -> None:
    model = sequence(nn.Conv2d(4, 3, 3), nn.PReLU(init=slope))
    program = lower(model, IMAGES)
    with torch.no_grad():
        error = (Interpreter(program)(IMAGES) - model(IMAGES)).square().mean()
    assert error < 0.01 * model(IMAGES).var()
