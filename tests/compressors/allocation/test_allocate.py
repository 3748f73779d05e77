import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from compressors import Allocation, Quantization, allocate, joint_choices, quantize, widths
from compressors.allocation import allocate as module
from compressors.allocation.problem import SIZE
from nas.lowering import lower_all_channels
from nas.packed import pack
from nas.quantize import match_statistics
from nas.seeds import seeded
from nas.space import Choice, Choices

IMAGES = torch.rand(64, 1, 8, 8, generator=torch.Generator().manual_seed(1))
BITS = Choices(Choice(name, "bits", (2, 3, 4, 8)) for name in ("0", "3", "6"))


def network() -> nn.Module:
    with seeded(0):
        model = nn.Sequential(
            *(nn.Conv2d(1, 6, 3, bias=False), nn.BatchNorm2d(6), nn.ReLU()),
            *(nn.Conv2d(6, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(128, 5)),
        )
        model(torch.rand(64, 1, 8, 8))  # running statistics that are not those of the start
    return model.eval()


def allocated(**given: Any) -> Allocation:
    return allocate(network(), IMAGES, **given)


def length(model: nn.Module, images: Tensor = IMAGES) -> int:
    return len(pack(lower_all_channels(model, images)))


@pytest.mark.parametrize("size", [300, 500, 800])
def test_the_file_is_within_the_budget_and_as_long_as_it_says(size: int) -> None:
    found = allocated(size_bytes=size)
    assert 0.85 * size < found.size_bytes <= size
    assert length(found.model) == found.size_bytes
    assert {name for name in found.design if name.endswith("bits")} == {
        "0.bits",
        "3.bits",
        "6.bits",
    }


def test_more_bytes_leave_more_and_less_divergence() -> None:
    found = [allocated(size_bytes=size) for size in (300, 600, 5000)]
    assert found[0].divergence > found[1].divergence > found[2].divergence >= 0
    assert found[2].divergence < 1e-4


def test_widths_are_chosen_with_bits() -> None:
    alone, together = allocated(size_bytes=420, choices=BITS), allocated(size_bytes=420)
    assert sum(together.selected.ratios.values()) > 0
    assert not alone.selected.ratios
    assert together.divergence < alone.divergence


def test_options_are_measured_one_layer_at_a_time() -> None:
    found = allocated(size_bytes=5000, choices=BITS)
    for site, options in found.problem.layers.items():
        sizes = [option.size_bytes for option in options]
        assert sizes == sorted(sizes)
        divergences = [option.divergence for option in options]
        assert divergences == sorted(divergences, reverse=True)
        least, most = options[0], options[-1]
        others = dict.fromkeys(found.problem.layers, 8)
        ends = [
            length(quantize(network(), {**others, site: option.bits}, IMAGES))
            for option in (least, most)
        ]
        # Biases have other widths with other bits.
        assert ends[1] - ends[0] == pytest.approx(most.size_bytes - least.size_bytes, abs=16)


def test_groups_are_measured_one_at_a_time() -> None:
    found = allocated(size_bytes=5000)
    assert set(found.problem.groups) == {"0", "3"}
    for group in found.problem.groups.values():
        ratios = sorted(group.options)
        assert ratios[0] == 0.0
        assert group.options[0.0].divergence == 0.0
        removed = [group.options[ratio].removed for ratio in ratios]
        assert removed == sorted(removed)
        assert group.options[ratios[-1]].divergence > group.options[ratios[1]].divergence
    assert found.problem.groups["0"].kept("3", 0.5) == (1.0, 0.5)
    assert found.problem.groups["3"].kept("3", 0.5) == (0.5, 1.0)
    assert found.problem.groups["3"].kept("0", 0.5) == (1.0, 1.0)


@pytest.mark.parametrize(
    ("limit", "value"), [("macs", 6000), ("macs", 4000), ("peak_memory_bytes", 220)]
)
def test_limits_other_than_bytes_make_the_network_narrower(limit: str, value: int) -> None:
    free, found = allocated(size_bytes=5000), allocated(**{limit: value})
    assert free.costs[limit] > value
    assert 0.7 * value < found.costs[limit] <= value
    assert sum(found.selected.ratios.values()) > 0
    program = lower_all_channels(found.model, IMAGES)
    assert (program.macs, program.peak_memory) == (
        found.costs["macs"],
        found.costs["peak_memory_bytes"],
    )


def test_all_limits_hold_together() -> None:
    limits = {"size_bytes": 450, "macs": 6000, "peak_memory_bytes": 260}
    found = allocated(**limits)
    assert all(found.costs[name] <= limit for name, limit in limits.items())


def test_predicted_bytes_are_near_those_of_the_file() -> None:
    large, small = allocated(size_bytes=5000), allocated(size_bytes=400)
    predicted = [found.problem.costs(found.selected)[SIZE] for found in (large, small)]
    assert predicted[0] - predicted[1] == pytest.approx(
        large.size_bytes - small.size_bytes, rel=0.1
    )


def test_a_design_is_one_of_the_choices_given() -> None:
    choices = joint_choices(network(), IMAGES[:2])
    found = allocated(size_bytes=500, choices=choices)
    assert choices.decode(choices.encode(found.design)) == found.design


def test_ranks_and_sparsity_are_options_where_the_choices_have_them() -> None:
    with seeded(3):
        left, right = torch.randn(64, 2), torch.randn(2, 64)
        model = nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 5)).eval()
        model.get_submodule("1").weight = nn.Parameter(left @ right / 8)
    found = allocate(model, IMAGES, size_bytes=900)
    assert found.design["1.rank"] == 0.25
    assert set(widths(found.model)) == {"1.0", "1.1", "3"}
    kinds = {kind for option in found.problem.layers["1"] for kind in option.settings}
    assert kinds == {"bits", "sparsity", "rank"}


def test_the_network_is_not_changed_and_the_result_is_repeatable() -> None:
    model = network()
    before = copy.deepcopy(model.state_dict())
    first, again = (allocate(model, IMAGES, size_bytes=500) for _ in range(2))
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert not model.training
    assert (first.design, first.divergence) == (again.design, again.divergence)


@pytest.mark.parametrize("weights", ["affine", "lsq"])
def test_the_method_of_quantization_is_that_of_the_caller(weights: Any) -> None:
    method = Quantization(weights=weights, activation_bits=6)
    found = allocated(size_bytes=800, choices=BITS, method=method)
    bits = {site: option.bits for site, option in found.selected.options.items()}
    same = quantize(network(), bits, IMAGES, method)
    match_statistics(same, network(), IMAGES)
    assert length(same) == found.size_bytes <= 800


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"size_bytes": 100}, r"smallest network .* must be within the limits, but has \d+ size_b"),
        ({"macs": 10}, r"but has [\d,]+ macs for 10"),
        ({}, "an allocation needs a limit, one of"),
        (
            {"size_bytes": 900, "choices": Choices([Choice("", "prune", (0.0, 0.5))])},
            "a pruning ratio must be that of one group",
        ),
    ],
)
def test_what_cannot_be_allocated_is_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        allocated(**given)


def test_a_quantized_network_is_refused() -> None:
    with pytest.raises(ValueError, match="must have plain layers to be allocated bits"):
        allocate(quantize(network(), 8, IMAGES), IMAGES, size_bytes=5000)


def test_what_was_measured_serves_other_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    first, fresh = allocated(size_bytes=600), allocated(size_bytes=400)
    monkeypatch.setattr(module, "measured", lambda *_: pytest.fail("it was measured again"))
    again = allocated(size_bytes=400, problem=first.problem)
    assert again.design == fresh.design
    assert again.size_bytes == fresh.size_bytes
