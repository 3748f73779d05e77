import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from compressors.pruning import ChannelPruning
from compressors.quantization import Quantization
from nas.compress import compress
from nas.lowering import lower, lower_all_channels
from nas.measure import costs
from nas.program import Program
from nas.quantize import UnsupportedError
from nas.seeds import seeded
from nas.space import SearchSpace
from search_spaces.conv_stages import ConvStages
from search_spaces.mlp import Mlp
from tests.compressors.pruning_cases import CASES, IMAGES, Case, seeded_network, widths


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.build.__name__)
def test_a_pruned_network_trains_on(case: Case) -> None:
    model = seeded_network(case.build).train()
    labels = torch.arange(6) % 4
    nn.functional.cross_entropy(model(IMAGES), labels).backward()  # type: ignore[no-untyped-call]
    pruned = ChannelPruning().apply(model, case.ratios, IMAGES).train()
    optimizer = torch.optim.AdamW(pruned.parameters(), lr=0.01)
    losses = []
    for _ in range(6):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(pruned(IMAGES), labels)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
    for parameter in pruned.parameters():
        assert parameter.grad is not None
        assert parameter.grad.shape == parameter.shape
        assert parameter.grad.isfinite().all()


def program(model: nn.Module) -> Program | None:
    """The integer program; None if the network has none, whether it is pruned or not."""
    try:
        return lower_all_channels(model, IMAGES)
    except UnsupportedError:
        return None


LOWERED = [case for case in CASES if program(seeded_network(case.build)) is not None]


def test_most_networks_here_have_an_integer_form() -> None:
    assert len(LOWERED) >= 7


@pytest.mark.parametrize("case", LOWERED, ids=lambda case: case.build.__name__)
def test_a_pruned_network_can_be_quantized(case: Case) -> None:
    model = ChannelPruning().apply(seeded_network(case.build), case.ratios, IMAGES)
    expected = model.eval()(IMAGES)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    quantized = Quantization().apply(model, {"": 8}, IMAGES)
    assert widths(quantized).items() >= case.widths.items()
    assert (quantized(IMAGES) - expected).norm() < 0.1 * expected.norm()
    assert costs(quantized, lower(quantized, IMAGES))["params"] == parameters


def test_widths_follow_from_the_ratios_and_not_from_the_weights_or_the_example() -> None:
    for case in CASES:
        first = ChannelPruning().apply(seeded_network(case.build, 0), case.ratios, IMAGES)
        second = ChannelPruning().apply(seeded_network(case.build, 1), case.ratios, IMAGES[:1])
        assert widths(first) == widths(second)
        one, other = program(first), program(second)
        assert (one is None) == (other is None)
        if one is not None and other is not None:
            assert costs(first, one) == costs(second, other)


@pytest.mark.parametrize("space", [ConvStages(), Mlp()], ids=lambda space: type(space).__name__)
def test_every_design_of_the_spaces_is_pruned_to_its_widths(space: SearchSpace) -> None:
    rng = np.random.default_rng(0)
    example = torch.rand(4, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    for seed in range(30):
        design = space.choices.decode(space.choices.sample(rng))
        with seeded(seed):
            model = space.build(design, example, 10)
        pruned = compress(model, design, [ChannelPruning()], example)
        assert pruned(example).shape == (4, 10)
        said = example
        for name, child in pruned.named_children():
            said = child(said)
            if f"{name}.width" in design:
                width: Any = design[f"{name}.width"]
                ratio: Any = design[f"{name}.prune"]
                assert said.shape[1] == width - math.floor(ratio * width)
