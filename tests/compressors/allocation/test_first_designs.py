import torch
from torch import nn

from compressors.allocation.allocate import allocate
from compressors.allocation.first_designs import first_designs
from compressors.joint import joint_choices
from nas.seeds import seeded
from nas.space import Choices, Genotype
from nas.strategy import Facts

IMAGES = torch.rand(32, 1, 6, 6, generator=torch.Generator().manual_seed(0))
with seeded(0):
    MODEL = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.ReLU())
    MODEL.add_module("flat", nn.Flatten())
    MODEL.add_module("head", nn.Linear(32, 5))
CHOICES: Choices = joint_choices(MODEL, IMAGES[:1])


def facts(genotype: Genotype) -> Facts:
    """A cost that grows with bits and falls with pruning, within its limit of 10 up to an excess."""
    design = CHOICES.decode(genotype)
    bits = max(option for name, option in design.items() if name.endswith("bits"))  # type: ignore[type-var]
    pruned = min(option for name, option in design.items() if name.endswith("prune"))  # type: ignore[type-var]
    size = 4.0 * bits * (1 - pruned)  # type: ignore[operator]
    return Facts({"size_bytes": size}, max(0.0, size / 10 - 1))


def test_allocations_are_for_the_budget_and_for_less() -> None:
    limits = {"size_bytes": 700.0}
    found = first_designs(MODEL, IMAGES, CHOICES, limits, lambda _: Facts({}, 1.0))
    assert 2 <= len(found) <= 3
    allocated = [
        allocate(MODEL, IMAGES, size_bytes=size, choices=CHOICES) for size in (700, 630, 560)
    ]
    designs = [CHOICES.encode(each.design) for each in allocated]
    assert found == tuple(dict.fromkeys(designs))
    sizes = [each.size_bytes for each in allocated]
    assert sizes == sorted(sizes, reverse=True)


def test_other_limits_than_bytes_are_met_by_one_allocation() -> None:
    program = allocate(MODEL, IMAGES, size_bytes=10**6, choices=CHOICES).costs
    limits = {"macs": 0.7 * program["macs"]}
    (found,) = first_designs(MODEL, IMAGES, CHOICES, limits, lambda _: Facts({}, 1.0))
    design = CHOICES.decode(found)
    assert any(option for name, option in design.items() if name.endswith("prune"))


def test_each_bit_width_comes_with_the_smallest_ratio_that_fits() -> None:
    found = first_designs(MODEL, IMAGES, CHOICES, {"macs": 1.0}, facts)
    pairs = []
    for genotype in found:
        design = CHOICES.decode(genotype)
        (bits,) = {option for name, option in design.items() if name.endswith("bits")}
        (ratio,) = {option for name, option in design.items() if name.endswith("prune")}
        pairs.append((bits, ratio))
    assert pairs == [(8, 0.75), (4, 0.5), (3, 0.25), (2, 0.0), (1, 0.0)]


def test_a_budget_that_bits_alone_cannot_meet_leaves_the_pruned_ones() -> None:
    found = first_designs(MODEL, IMAGES, CHOICES, {"size_bytes": 90.0}, facts)
    assert len(found) == 5


def test_what_is_not_stated_is_left_as_it_is() -> None:
    design = CHOICES.decode(CHOICES.complete({"2.bits": 4, "0.prune": 0.9, "none.bits": 1}))
    assert design["2.bits"] == 4
    assert design["0.prune"] == 0.0
    assert all(design[name] in (0, 0.0, 1.0) for name in design if not name.endswith("bits"))
