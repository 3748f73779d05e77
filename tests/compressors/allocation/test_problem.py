import math

import numpy as np
import pytest
import torch
from torch import nn

from compressors.allocation.allocate import allocate
from compressors.allocation.expected import Expected
from compressors.allocation.group_options import GroupOption, GroupOptions
from compressors.allocation.layer_options import LayerOption
from compressors.allocation.problem import Live, Problem
from compressors.joint import joint_choices
from nas.seeds import seeded
from nas.space import Choice, Choices

OPTIONS = (
    LayerOption({"bits": 2}, 20, 0.8),
    LayerOption({"bits": 4, "sparsity": 0.0, "rank": 1.0}, 40, 0.2),
    LayerOption({"bits": 4, "sparsity": 0.0, "rank": 0.25}, 10, 1.5),
    LayerOption({"bits": 4, "sparsity": 0.5, "rank": 1.0}, 30, 0.9),
    LayerOption({"bits": 8, "rank": 1.0}, 80, 0.01),
    LayerOption({"bits": 8, "rank": 0.25}, 20, 1.4),
)
PRUNED = GroupOptions(
    {0.0: GroupOption(0.0, 0.0), 0.5: GroupOption(0.5, 0.3)}, {}, nn.Identity(), 0.5
)
PROBLEM = Problem(
    groups={"a": PRUNED},
    layers={"a": OPTIONS[:1], "b": OPTIONS[:1]},
    channels={},
    macs={},
    live=Live(np.zeros(1), {}),
    measured={"a": OPTIONS, "b": OPTIONS},
)
PLAIN = {"a.prune": 0.0, "a.bits": 2, "b.bits": 8, "b.rank": 1.0, "b.codebook_size": 0}


def test_the_prediction_is_the_sum_over_groups_and_layers() -> None:
    assert PROBLEM.divergence(PLAIN) == pytest.approx(0.8 + 0.01)
    assert PROBLEM.divergence(PLAIN | {"a.prune": 0.5}) == pytest.approx(0.3 + 0.8 + 0.01)


def test_what_another_option_beats_has_a_prediction_too() -> None:
    sparse = {"a.bits": 4, "a.sparsity": 0.5, "a.rank": 1.0}
    assert PROBLEM.divergence(PLAIN | sparse) == pytest.approx(0.9 + 0.01)


@pytest.mark.parametrize(
    ("values", "rank", "like"), [(16, 1.0, 0.2), (16, 0.25, 1.5), (4, 1.0, 0.2), (32, 1.0, 0.01)]
)
def test_a_codebook_counts_as_weights_of_as_many_bits_or_the_next_more(
    values: int, rank: float, like: float
) -> None:
    coded = {"b.codebook_size": values, "b.rank": rank}
    assert PROBLEM.divergence(PLAIN | coded) == pytest.approx(0.8 + like)


def test_a_dropped_block_counts_as_the_worst_of_its_options() -> None:
    without = {name: option for name, option in PLAIN.items() if not name.startswith("a")}
    assert PROBLEM.divergence(without | {"a.drop": True}) == pytest.approx(0.3 + 1.5 + 0.01)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"a.prune": 0.7}, r"a ratio must be one of \(0.0, 0.5\), but got 0.7"),
        ({"a.bits": 9}, "a layer must have settings of .*, but got .*9"),
    ],
)
def test_other_options_than_those_of_the_space_are_refused(
    wrong: dict[str, float], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        PROBLEM.divergence(PLAIN | wrong)


def test_less_divergence_is_expected_to_be_better_and_none_is_finite() -> None:
    choices = Choices([Choice("a", "prune", (0.0, 0.5)), Choice("a", "bits", (2, 8))])
    exact = LayerOption({"bits": 8}, 80, 0.0)
    options = {"a": (OPTIONS[0], exact)}
    problem = Problem({"a": PRUNED}, options, {}, {}, Live(np.zeros(1), {}), options)
    expected = Expected(problem, choices)
    assert expected((1, 0)) < expected((0, 0)) < expected((1, 1)) < expected((0, 1)) < math.inf
    assert expected((0, 0)) == pytest.approx(-math.log(0.8))


def test_every_design_of_a_joint_space_has_a_prediction() -> None:
    with seeded(0):
        model = nn.Sequential(nn.Linear(24, 24), nn.ReLU(), nn.Linear(24, 4))
    images = torch.rand(16, 24, generator=torch.Generator().manual_seed(0))
    choices = joint_choices(model, images[:2])
    found = allocate(model, images, size_bytes=10_000, choices=choices)
    ratios = [found.problem.groups[n].options[r] for n, r in found.selected.ratios.items()]
    alone = sum(option.divergence for option in ratios)
    alone += sum(option.divergence for option in found.selected.options.values())
    assert found.problem.divergence(found.design) == pytest.approx(alone)
    rng = np.random.default_rng(0)
    designs = [choices.decode(choices.sample(rng)) for _ in range(100)]
    assert any(design.get("0.codebook_size") for design in designs)
    assert all(found.problem.divergence(design) >= 0 for design in designs)
