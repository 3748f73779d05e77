import doctest
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from benchmarks.spaces import SPACES, cost, example_for, largest, smallest
from compressors.activation_bits import ActivationBits
from compressors.low_rank import LowRank
from compressors.pruning import ChannelPruning
from compressors.quantization import Quantization
from nas.compress import compress
from nas.experiment import _describe
from nas.seeds import seeded
from nas.space import SearchSpace
from nas.testing import space as space_contract
from nas.testing.space import check_space
from search_spaces import (
    Cell,
    ConvBlocks,
    ConvStages,
    DsCnn,
    LeNet,
    Mobile,
    ResidualStages,
    Temporal,
    WithActivationBits,
    halvings,
)
from search_spaces.halvings import factors

READY = ("Mobile", "ResidualStages", "DsCnn", "Cell", "LeNet", "Temporal")
IMAGES = ((1, 8, 8), (1, 28, 28), (3, 32, 32), (3, 96, 96))
SIGNALS = ((3, 128), (9, 128))
COMPRESSORS = (ChannelPruning(), LowRank(), Quantization())
RATIOS = (0.25, 0.5)


def shapes(name: str) -> tuple[tuple[int, ...], ...]:
    if name == "Mlp":
        return *IMAGES, *SIGNALS
    return SIGNALS if name == "Temporal" else IMAGES


def inputs(*shape: int) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(0))


def network(space: SearchSpace, example: Tensor, seed: int = 0) -> nn.Module:
    """That of a random design."""
    choices = space.choices
    design = choices.decode(choices.sample(np.random.default_rng(seed)))
    with seeded(0):
        return space.build(design, example, 10)


def test_the_example_is_correct() -> None:
    assert doctest.testmod(halvings) == (0, 1)


@pytest.mark.parametrize("name", READY)
def test_networks_take_small_and_large_inputs(name: str) -> None:
    for seed, shape in enumerate(shapes(name)):
        model = network(SPACES[name], inputs(2, *shape), seed)
        assert model(inputs(2, *shape)).shape == (2, 10)


@pytest.mark.slow
@pytest.mark.parametrize("name", SPACES)
def test_a_space_keeps_its_contract(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(space_contract, "DESIGNS", 5)  # of each of several shapes
    space, rng = SPACES[name], np.random.default_rng(0)
    kinds = {choice.kind for choice in space.choices}
    used = [part for part in COMPRESSORS if part.kind in kinds]
    for shape in shapes(name):
        check_space(space, inputs(4, *shape), 10, rng, used)


@pytest.mark.slow
@pytest.mark.parametrize("name", READY)
def test_activations_have_bits_in_a_space(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(space_contract, "DESIGNS", 5)
    space = WithActivationBits(SPACES[name], (8, 4))
    kinds = {choice.kind for choice in space.choices}
    parts = [part for part in (*COMPRESSORS, ActivationBits()) if part.kind in kinds]
    check_space(space, inputs(4, *shapes(name)[0]), 10, np.random.default_rng(0), parts)


@pytest.mark.parametrize("name", READY)
def test_the_docstring_says_how_many_designs_there_are_and_how_small_they_get(name: str) -> None:
    space = SPACES[name]
    said, size = " ".join((type(space).__doc__ or "").split()), space.choices.size
    digits = f"{size:,}" if size < 10**15 else f"{size:.0e}".replace("e+", " · 10^")
    assert f"{digits} designs" in said
    _assert_said(said, cost(space, smallest(space.choices), example_for(space)))


@pytest.mark.slow
@pytest.mark.parametrize("name", READY)
def test_the_docstring_says_how_large_networks_get(name: str) -> None:
    space = SPACES[name]
    said = " ".join((type(space).__doc__ or "").split())
    _assert_said(said, cost(space, largest(space.choices), example_for(space)))


def _assert_said(said: str, costs: dict[str, float]) -> None:
    for metric in ("flash_bytes", "macs", "peak_memory_bytes"):
        assert re.search(rf"\b{costs[metric]:,.0f}\b", said), metric


@pytest.mark.parametrize(
    ("space", "shape"),
    [
        (Mobile(ratios=RATIOS, stages=(2,), depths=(2,), squeezes=(True,)), (1, 8, 8)),
        # Equal widths without strides: a shortcut without weights would tie the stages.
        (ResidualStages(((8,), (8,), (8,)), ratios=RATIOS, pools=(2,)), (1, 8, 8)),
        (DsCnn(blocks=(3,), ratios=RATIOS), (1, 8, 8)),
        (LeNet(ratios=RATIOS), (1, 8, 8)),
        (Temporal(stages=(2,), depths=(2,), ratios=RATIOS), (3, 32)),
    ],
    ids=lambda given: type(given).__name__,
)
def test_what_is_tied_has_one_ratio(space: SearchSpace, shape: tuple[int, ...]) -> None:
    example, rng = inputs(2, *shape), np.random.default_rng(0)
    for _ in range(3):
        design = space.choices.decode(space.choices.sample(rng))
        with seeded(0):
            model = space.build(design, example, 3)
        before = sum(parameter.numel() for parameter in model.parameters())
        pruned = compress(model, design, [ChannelPruning()], example)
        assert pruned(example).shape == (2, 3)
        assert sum(parameter.numel() for parameter in pruned.parameters()) < before


@pytest.mark.parametrize(
    "make",
    [
        lambda pools: ConvBlocks(pools=pools),
        lambda pools: ConvStages(pools=pools),
        lambda pools: Cell(pools=pools),
    ],
)
def test_inputs_may_be_pooled_before_the_stem(make: Callable[..., Any]) -> None:
    space, default = make((1, 4)), make(())
    assert space.choices[0].name == "input.pool"
    assert list(space.choices[1:]) == list(default.choices)
    assert _describe(default).keys() == _describe(space).keys() - {"pools"}
    example, rest = inputs(2, 1, 32, 32), default.choices.sample(np.random.default_rng(0))
    made = []
    for gene, given in ((0, example), (1, nn.functional.interpolate(example, scale_factor=4))):
        with seeded(0):
            made.append(space.build(space.choices.decode((gene, *rest)), given, 10).eval())
    with seeded(0):
        plain = default.build(default.choices.decode(rest), example, 10).eval()
    assert torch.equal(made[0](example), plain(example))
    big = nn.functional.interpolate(example, scale_factor=4)
    assert torch.allclose(made[1](big), plain(example), atol=1e-5)


def test_strides_follow_the_input() -> None:
    places = ["stage1", "stage2", "stem"]
    halved = {side: [*factors(side, places).values()] for side in (4, 7, 8, 28, 32, 96)}
    assert halved == {
        4: [1, 1, 1],
        7: [1, 1, 1],
        8: [2, 1, 1],
        28: [2, 2, 1],
        32: [2, 2, 2],
        96: [2, 2, 2],
    }
    assert [*factors(96, ["conv0", "conv1"], most=96).values()] == [4, 4]
    assert [*factors(128, ["stage0", "stage1"], most=128).values()] == [8, 4]


@pytest.mark.parametrize(
    ("space", "shape", "message"),
    [
        (Mobile(), (3, 6, 32), r"images \[N, C, H, W\] of at least 8 .*pools=\(1,\) needs 4"),
        (ResidualStages(pools=(1,)), (3, 32), r"images .* of at least 4 .*, but got \[2, 3, 32\]"),
        (LeNet(), (1, 7, 7), "at least 8 along each side"),
        (DsCnn(), (64,), r"but got \[2, 64\]"),
        (SPACES["Cell"], (1, 3, 3), r"at least 4 along each side, but got \[2, 1, 3, 3\]"),
        (Temporal(), (3, 8, 8), r"signals \[N, C, T\] of at least 8"),
        (Temporal(), (3, 7), r"signals \[N, C, T\] of at least 8"),
        (Temporal(channels=(4,)), (3, 32), "at most the 3 of the input"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(
    space: SearchSpace, shape: tuple[int, ...], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        network(space, inputs(2, *shape))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Mobile(stages=(5,)), "stages must be numbers from 1 to 4"),
        (lambda: Mobile(activations=("gelu",)), r"activations must be of .*'gelu'"),
        (lambda: ResidualStages(stages=()), "stages must be numbers from 1 to 3"),
        (lambda: ResidualStages(operators=("dense",)), r"operators must be of .*'dense'"),
        (lambda: DsCnn(blocks=(0,)), r"blocks must be numbers from 1, but got \(0,\)"),
        (lambda: DsCnn(kernels=("7x7",)), r"kernels must be of .*'7x7'"),
        (lambda: LeNet(depths=(3,)), "depths must be numbers from 0 to 2"),
        (lambda: LeNet(poolings=("min",)), r"poolings must be of .*'min'"),
        (lambda: Temporal(stages=(0,)), "stages must be numbers from 1 to 3"),
        (lambda: Temporal(poolings=("none",)), r"poolings must be of .*'none'"),
    ],
)
def test_unknown_options_are_refused(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_a_network_reads_the_most_important_channels() -> None:
    space = Temporal(channels=(1, 2), order=(2, 0, 1))
    example = inputs(2, 3, 32)
    design = space.choices.decode((1, *[0] * (len(space.choices) - 1)))
    with seeded(0):
        model = space.build(design, example, 4).eval()
    changed = example.clone()
    changed[:, 1] += 1.0
    assert torch.equal(model(example), model(changed))
    changed[:, 0] += 1.0
    assert not torch.equal(model(example), model(changed))


def test_blocks_of_a_dilated_stage_look_further_and_further() -> None:
    space = Temporal(stages=(1,), depths=(3,), dilations=(2,), operators=("conv",))
    convolutions = [
        m for m in network(space, inputs(2, 3, 64)).modules() if isinstance(m, nn.Conv1d)
    ]
    assert [layer.dilation for layer in convolutions] == [(1,), (1,), (2,), (4,)]
