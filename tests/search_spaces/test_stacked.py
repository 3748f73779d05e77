import doctest
import json
import sys
from collections.abc import Callable
from operator import le
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from compressors import Quantization
from nas.experiment import Experiment
from nas.space import AnyOf, Choice, Choices, Constraint, Design, placed
from nas.testing import check_space
from nas.testing import space as space_contract
from search_spaces import Chain, LinearHead, Mlp, ResidualStages, Stacked, Temporal, Trunk
from search_spaces.blocks import rectified

STEM = ("stem.width", "body.stage0.width")


class Stem:
    """A convolution with a stride, or two."""

    deep = ("depth", frozenset({2}))
    choices = Choices(
        [
            Choice("", "width", (4, 8)),
            Choice("", "depth", (1, 2)),
            Choice("conv0", "bits", (4, 8)),
            Choice("conv1", "bits", (4, 8), deep),
        ],
        [Constraint(("width", "depth"), lambda width, depth: width * depth < 16)],
    )

    def build_part(self, design: Design, example: Tensor) -> nn.Module:
        model, inputs, width = nn.Sequential(), example.shape[1], design.integer("width")
        for number in range(design.integer("depth")):
            stride = 1 if number else 2
            model.add_module(f"conv{number}", nn.Sequential(*rectified(inputs, width, 3, stride)))
            inputs = width
        return model


RESIDUAL = ResidualStages(
    widths=((4, 6), (6, 8)), stages=(1, 2), depths=(1,), bits=(4, 8), pools=(1,)
)
SPACE = Stacked({"stem": Stem(), "body": Trunk(RESIDUAL)}, constraints=(Constraint(STEM, le),))


def built(space: Any, seed: int, *shape: int, classes: int = 3) -> tuple[Design, nn.Module]:
    found = space.choices.decode(space.choices.sample(np.random.default_rng(seed)))
    return found, space.build(found, torch.rand(2, *shape), classes)


def test_the_examples_are_correct() -> None:
    assert doctest.testmod(sys.modules[placed.__module__]) == (0, 1)
    assert doctest.testmod(sys.modules[Design.__module__])[0] == 0


def test_choices_stand_at_the_sites_of_their_parts() -> None:
    names = [choice.name for choice in SPACE.choices]
    assert names[:5] == [
        "stem.width",
        "stem.depth",
        "stem.conv0.bits",
        "stem.conv1.bits",
        "body.input.pool",
    ]
    assert names[-1] == "head.linear.bits"
    assert "body.head.bits" not in names
    assert [each.names for each in SPACE.choices.constraints] == [
        ("stem.width", "stem.depth"),
        STEM,
    ]
    by_name = {choice.name: choice for choice in SPACE.choices}
    assert by_name["stem.conv1.bits"].when == ("stem.depth", frozenset({2}))


def test_conditions_and_constraints_move_with_their_choices() -> None:
    one, two = ("op", frozenset({"a"})), ("x.depth", frozenset({2}))
    choices = Choices(
        [
            Choice("", "op", ("a", "b")),
            Choice("x", "depth", (1, 2)),
            Choice("x", "bits", (4, 8), AnyOf((one, two))),
        ],
        [Constraint(("x.depth", "x.bits"), lambda depth, bits: depth * bits < 16)],
    )
    moved = placed(choices, "part.y")
    assert [choice.name for choice in moved] == ["part.y.op", "part.y.x.depth", "part.y.x.bits"]
    assert moved.size == choices.size
    for genotype in choices.enumerate():
        assert moved.decode(genotype).under("part.y") == choices.decode(genotype)


@pytest.mark.parametrize("seed", range(3))
def test_parts_are_built_for_what_those_before_give(seed: int) -> None:
    found, model = built(SPACE, seed, 2, 16, 16)
    assert [name for name, _ in model.named_children()] == ["stem", "body", "head"]
    assert found.integer("stem.width") <= found.integer("body.stage0.width")
    convolution = model.get_submodule("body.stage0.stem.0")
    assert isinstance(convolution, nn.Conv2d)
    assert convolution.in_channels == found["stem.width"]
    assert model(torch.rand(5, 2, 16, 16)).shape == (5, 3)
    # The example leaves no trace in statistics.
    counts = [
        m.num_batches_tracked
        for m in built(SPACE, seed, 2, 16, 16)[1].modules()
        if isinstance(m, nn.BatchNorm2d)
    ]
    assert counts
    assert not any(counts)


def test_a_stacked_space_keeps_the_contract_of_spaces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(space_contract, "DESIGNS", 1)
    rng = np.random.default_rng(0)
    check_space(SPACE, torch.rand(4, 1, 16, 16), 3, rng, [Quantization()])


def test_parts_may_be_chains_and_heads_spaces() -> None:
    inner = Chain({"one": Stem(), "two": Stem()})
    space = Stacked({"body": inner}, head=Mlp(layers=1, widths=(4,)))
    found, model = built(space, 0, 1, 8, 8)
    assert "body.two.width" in found
    assert "head.hidden0.bits" in found
    assert model(torch.rand(2, 1, 8, 8)).shape == (2, 3)
    signals = Stacked({"body": Trunk(Temporal())})
    assert built(signals, 1, 3, 32)[1](torch.rand(2, 3, 32)).shape == (2, 3)
    assert LinearHead().build(Design({}), torch.rand(2, 5), 3)(torch.rand(2, 5)).shape == (2, 3)


def test_a_header_describes_parts_and_constraints(tiny: Callable[..., Experiment]) -> None:
    described = tiny(space=SPACE, compressors=(Quantization(),)).describe()["space"]
    assert json.loads(json.dumps(described)) == described
    assert described["name"] == "Stacked"
    assert described["parts"]["body"]["space"]["name"] == "ResidualStages"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Stacked({}), r"must have parts .*, but got \[\]"),
        (lambda: Stacked({"head": Stem()}), r"none of \('head', 'recipe'\), but got \['head'\]"),
        (lambda: Chain({"a.b": Stem()}), r"names without dots.*but got \['a.b'\]"),
        (
            lambda: built(Stacked({"body": Trunk(Mlp())}), 0, 4),
            "a module 'pool' behind their features",
        ),
    ],
)
def test_what_cannot_be_stacked_is_refused(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
