import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from nas.layers import WeightLayer
from nas.mask import Schedule, WeightMask, carry_mask, mask_of
from nas.quantize import quantized_layer
from nas.seeds import seeded


def at_once(progress: float) -> float:
    return 1.0


def steadily(progress: float) -> float:
    return progress


def masked(
    made: WeightLayer, keep: int, block: int | None = None, schedule: Schedule = at_once
) -> WeightMask:
    assert isinstance(made.weight, nn.Parameter)
    made.add_module(
        "mask", WeightMask(made.weight, made.weight.detach().abs(), keep, block, schedule)
    )
    return mask(made)


def layer(
    *weights: float, keep: int, block: int | None = None, schedule: Schedule = at_once
) -> nn.Linear:
    made = nn.Linear(len(weights), 1)
    with torch.no_grad():
        made.weight.copy_(torch.tensor([weights]))
    masked(made, keep, block, schedule)
    return made


def mask(module: nn.Module) -> WeightMask:
    found = mask_of(module)
    assert found is not None
    return found


def fill(module: nn.Linear, *values: float) -> None:
    """As a step of training would."""
    with torch.no_grad():
        module.weight.copy_(torch.tensor([values]))


def test_the_largest_scores_are_kept_and_the_other_weights_are_zero() -> None:
    made = layer(3.0, -0.5, 1.0, -4.0, keep=2)
    assert made.weight.tolist() == [[3.0, 0.0, 0.0, -4.0]]
    assert mask(made).kept.tolist() == [[True, False, False, True]]


def test_scores_decide_which_weights_are_kept() -> None:
    weight = nn.Parameter(torch.tensor([[3.0, 2.0], [1.0, 0.0]]))
    WeightMask(weight, torch.tensor([[0.0, 1.0], [2.0, 3.0]]), 2, None, at_once)
    assert weight.tolist() == [[0.0, 0.0], [1.0, 0.0]]


@pytest.mark.parametrize("keep", [0, 1, 700, 1999, 2000])
def test_with_equal_scores_the_exact_number_is_kept(keep: int) -> None:
    made = layer(*(1.0,) * 2000, keep=keep)
    assert mask(made).kept.sum() == made.weight.count_nonzero() == keep


def test_blocks_lie_along_the_inputs() -> None:
    assert layer(4.0, 3.0, 2.0, 1.0, 0.1, 0.2, 0.4, 0.3, keep=2, block=4).weight.tolist() == [
        pytest.approx([4.0, 3.0, 0.0, 0.0, 0.0, 0.0, 0.4, 0.3])
    ]
    with seeded(0):
        conv = nn.Conv2d(8, 3, 3)
    before = conv.weight.detach().clone()
    masked(conv, 1, 4)
    for out in range(3):
        for y in range(3):
            for x in range(3):
                for start in (0, 4):
                    row, kept = (
                        before[out, start : start + 4, y, x],
                        conv.weight[out, start : start + 4, y, x],
                    )
                    assert kept.count_nonzero() == 1
                    assert kept.abs().max() == row.abs().max()


def test_a_mask_has_no_parameters_and_holds_after_every_step() -> None:
    made = layer(3.0, -0.5, 1.0, -4.0, keep=2)
    assert dict(made.named_parameters()).keys() == {"weight", "bias"}
    assert made.state_dict().keys() == {"weight", "bias", "mask.kept"}
    fill(made, 0.1, 9.0, 9.0, 0.2)
    mask(made).after_step(0.5)
    assert made.weight.tolist() == [pytest.approx([0.1, 0.0, 0.0, 0.2])]


def test_a_copy_of_a_layer_has_a_mask_on_its_own_weights() -> None:
    made = layer(3.0, -0.5, keep=1)
    (copied,) = copy.deepcopy(nn.Sequential(made)).children()
    assert isinstance(copied, nn.Linear)
    for either in (made, copied):
        fill(either, 5.0, 5.0)
    mask(copied).after_step(0.5)
    assert copied.weight.tolist() == [[5.0, 0.0]]
    assert made.weight.tolist() == [[5.0, 5.0]]
    mask(copied).kept.fill_(True)
    mask(made).after_step(0.5)
    assert made.weight.tolist() == [[5.0, 0.0]]


def test_a_layer_keeps_its_mask_in_another_memory_format() -> None:
    with seeded(0):
        conv = nn.Conv2d(4, 3, 3)
    kept = masked(conv, 40, None, steadily).kept.clone()
    conv.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    mask(conv).after_step(1.0)
    assert torch.equal(conv.weight != 0, kept)


def test_a_gradual_schedule_removes_nothing_before_training() -> None:
    made = layer(5.0, 4.0, 3.0, 2.0, 1.0, keep=1, schedule=steadily)
    assert made.weight.tolist() == [[5.0, 4.0, 3.0, 2.0, 1.0]]
    assert mask(made).kept.sum() == 1
    mask(made).after_step(0.2)
    assert made.weight.count_nonzero() == 5
    mask(made).after_step(0.25)
    assert made.weight.tolist() == [[5.0, 4.0, 3.0, 2.0, 0.0]]
    mask(made).after_step(0.5)
    assert made.weight.tolist() == [[5.0, 4.0, 3.0, 0.0, 0.0]]


def test_the_currently_smallest_weights_are_removed_for_good() -> None:
    made = layer(5.0, 4.0, 3.0, 2.0, 1.0, keep=2, schedule=steadily)
    mask(made).after_step(0.4)
    assert made.weight.tolist() == [[5.0, 4.0, 3.0, 2.0, 0.0]]
    # Were the last one not removed, it would now be the largest.
    fill(made, 0.1, -4.0, 3.0, 2.0, 9.0)
    mask(made).after_step(0.7)
    assert made.weight.tolist() == [[0.0, -4.0, 3.0, 2.0, 0.0]]
    # A kept weight that is 0 goes before a removed one comes back.
    fill(made, 9.0, 0.0, 0.0, 2.0, 9.0)
    mask(made).after_step(1.0)
    assert mask(made).kept.tolist() == [[False, True, False, True, False]]
    assert made.weight.tolist() == [[0.0, 0.0, 0.0, 2.0, 0.0]]


@pytest.mark.parametrize("share", [0.0, 0.3, -5.0, 7.0])
def test_the_last_step_leaves_the_exact_number_with_any_schedule(
    share: float,
) -> None:
    made = layer(
        5.0,
        4.0,
        3.0,
        2.0,
        1.0,
        0.5,
        0.25,
        keep=3,
        schedule=lambda progress: share if progress else 0.0,
    )
    mask(made).after_step(0.5)
    assert made.weight.count_nonzero() >= 3
    mask(made).after_step(1.0)
    assert made.weight.tolist() == [[5.0, 4.0, 3.0, 0.0, 0.0, 0.0, 0.0]]


def test_a_finished_mask_does_not_change() -> None:
    made = layer(5.0, 4.0, 3.0, keep=1, schedule=lambda progress: min(2 * progress, 1.0))
    mask(made).after_step(0.5)
    fill(made, 0.1, 4.0, 3.0)
    for progress in (0.6, 0.9, 1.0):
        mask(made).after_step(progress)
        assert made.weight.tolist() == [pytest.approx([0.1, 0.0, 0.0])]


def test_a_falling_schedule_brings_no_weight_back() -> None:
    made = layer(
        5.0, 4.0, 3.0, 2.0, keep=2, schedule=lambda progress: 1.0 - progress if progress else 0.0
    )
    mask(made).after_step(0.1)
    kept = made.weight.tolist()
    mask(made).after_step(0.9)
    assert made.weight.tolist() == kept == [[5.0, 4.0, 3.0, 0.0]]


def test_all_blocks_lose_the_same_number_of_weights_in_training() -> None:
    made = layer(4.0, 3.0, 2.0, 1.0, 0.1, 0.2, 0.4, 0.3, keep=1, block=4, schedule=steadily)
    lost = []
    for progress in (0.3, 0.34, 0.7, 1.0):
        mask(made).after_step(progress)
        lost.append(
            [4 - int(made.weight[0, start : start + 4].count_nonzero()) for start in (0, 4)]
        )
    assert lost == [[0, 0], [1, 1], [2, 2], [3, 3]]


@pytest.mark.parametrize("kind", [nn.Conv2d, nn.Linear])
def test_a_quantized_layer_takes_over_the_mask(kind: Any) -> None:
    with seeded(0):
        first: WeightLayer = nn.Linear(6, 4) if kind is nn.Linear else nn.Conv2d(2, 3, 3)
        inputs: Tensor = torch.randn(5, 6) if kind is nn.Linear else torch.randn(5, 2, 6, 6)
    masked(first, 7)
    quantized = quantized_layer(first, 4)
    assert mask_of(quantized) is mask_of(first)
    optimizer = torch.optim.AdamW(quantized.parameters(), lr=0.1)
    quantized(inputs).square().sum().backward()
    optimizer.step()
    weight = quantized.get_parameter("weight")
    assert weight.count_nonzero() > 7
    mask(quantized).after_step(0.1)
    assert weight.count_nonzero() == 7
    unmasked = nn.Linear(2, 2) if kind is nn.Linear else nn.Conv2d(2, 2, 1)
    assert mask_of(quantized_layer(unmasked, 4)) is None


def test_a_layer_without_a_mask_has_none_to_carry() -> None:
    successor = nn.Linear(2, 2)
    carry_mask(nn.Linear(2, 2), successor)
    assert not list(successor.children())
