import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from compressors.pruning import ChannelPruning
from compressors.quantization import Quantization
from nas.compress import settings_of
from nas.layers import layers_at
from nas.seeds import seeded
from nas.space import Design
from nas.testing.compressor import check_compressor
from nas.testing.space import check_space
from search_spaces.conv_stages import ConvStages

COMPRESSORS = (ChannelPruning(), Quantization())


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def images(*shape: int) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0))


def stage(number: int, op: str, width: int, depth: int, prune: float = 0.0) -> dict[str, Any]:
    site = f"stage{number}"
    blocks = {f"{site}.block{block}.bits": 8 for block in range(depth)}
    return {
        f"{site}.op": op,
        f"{site}.width": width,
        f"{site}.depth": depth,
        f"{site}.prune": prune,
        **blocks,
    }


def network(space: ConvStages, design: Mapping[str, Any], example: Tensor) -> nn.Module:
    with seeded(0):
        return space.build(Design(design), example, 4).eval()


def fingerprint(space: ConvStages, design: Design) -> str:
    """The modules of the network, whether blocks are residual, and the ratio and bits of each layer."""
    model = network(space, design, images(1, 1, 6, 6))
    residual = [
        name for name, module in model.named_modules() if getattr(module, "residual", False)
    ]
    applied = {
        (name, kind): value
        for kind in ("prune", "bits")
        for site, value in settings_of(design, kind).items()
        for name in layers_at(model, site)
    }
    return f"{model} {residual} {sorted(applied.items())}"


def shapes(model: nn.Module, example: Tensor) -> Mapping[str, tuple[int, ...]]:
    """The shape of one sample after each part."""
    said = {}
    for name, child in model.named_children():
        example = child(example)
        said[name] = tuple(example.shape[1:])
    return said


@pytest.mark.parametrize("shape", [(2, 1, 8, 8), (4, 3, 11, 7)])
def test_the_space_keeps_its_contract(shape: tuple[int, ...]) -> None:
    check_space(ConvStages(), images(*shape), 10, rng(), COMPRESSORS)


def test_a_space_of_other_stages_keeps_its_contract() -> None:
    space = ConvStages(
        strides=(2, 1), stem=3, widths=(4, 5), depths=(2, 4), ratios=(0.0, 0.9), bits=(3, 5)
    )
    check_space(space, images(2, 2, 9, 9), 2, rng(), COMPRESSORS)


@pytest.mark.parametrize(
    "compressor", [*COMPRESSORS, Quantization(activation_bits=4)], ids=lambda c: c.kind
)
def test_the_compressors_keep_their_contract_in_it(
    compressor: ChannelPruning | Quantization,
) -> None:
    check_compressor(compressor, ConvStages(), images(8, 1, 8, 8), 10, rng())


def test_one_choice_after_the_other() -> None:
    choices = ConvStages(strides=(1, 2), depths=(1, 2)).choices
    assert [choice.name for choice in choices] == [
        "stem.bits",
        *(
            "stage0.op",
            "stage0.width",
            "stage0.depth",
            "stage0.prune",
            "stage0.block0.bits",
            "stage0.block1.bits",
        ),
        *(
            "stage1.op",
            "stage1.width",
            "stage1.depth",
            "stage1.prune",
            "stage1.block0.bits",
            "stage1.block1.bits",
        ),
        "head.bits",
    ]
    # 4 operators, 5 widths, 3 ratios, 5 or 25 bit-widths; the second stage may be skipped.
    first = 4 * 5 * 3 * (5 + 25)
    assert choices.size == 5 * first * (first + 1) * 5
    assert ConvStages().choices.size == 20_113_249_732_500


@pytest.mark.parametrize(
    "space",
    [
        ConvStages(strides=(1, 2), stem=4, widths=(4,), depths=(1, 2), ratios=(0.0,), bits=(2,)),
        ConvStages(strides=(1, 1), stem=4, widths=(3, 4), depths=(1,), ratios=(0.0,), bits=(2,)),
        ConvStages(
            strides=(1,), stem=4, widths=(4,), depths=(1, 2), ratios=(0.0, 0.5), bits=(2, 8)
        ),
    ],
)
def test_canonical_genotypes_are_all_the_different_networks(space: ConvStages) -> None:
    choices = space.choices
    canonical = {
        choices.canonical(genotype) for genotype in itertools.product(*map(range, choices.arities))
    }
    assert len(canonical) == choices.size
    assert (
        len({fingerprint(space, choices.decode(genotype)) for genotype in canonical})
        == choices.size
    )


@pytest.mark.parametrize(("stride", "kind"), [(1, nn.Identity), (2, nn.MaxPool2d)])
def test_a_skipped_stage_has_no_choices_and_no_layers(stride: int, kind: type[nn.Module]) -> None:
    space = ConvStages(strides=(1, stride))
    design = {"stem.bits": 8, **stage(0, "conv3x3", 6, 1), "stage1.op": "skip", "head.bits": 8}
    decoded = space.choices.decode(space.choices.encode({**design, "stage0.width": 8}))
    assert [name for name in decoded if name.startswith("stage1")] == ["stage1.op"]
    model = network(space, design, images(1, 1, 8, 8))
    assert type(model.get_submodule("stage1")) is kind
    assert shapes(model, images(1, 1, 8, 8))["stage1"] == (6, 8 // stride, 8 // stride)
    assert shapes(model, images(1, 1, 8, 8))["head"] == (4,)


def test_the_first_stage_is_never_skipped() -> None:
    options = {choice.name: choice.options for choice in ConvStages().choices}
    assert "skip" not in options["stage0.op"]
    assert "skip" in options["stage1.op"]
    assert "skip" in options["stage2.op"]


@pytest.mark.parametrize("op", ["conv3x3", "conv5x5", "separable", "inverted"])
def test_a_stage_changes_width_and_resolution_in_its_first_block(op: str) -> None:
    design = {**stage(0, op, 6, 1), **stage(1, op, 10, 3), **stage(2, op, 5, 2)}
    model = network(ConvStages(), design, images(2, 3, 8, 8))
    assert shapes(model, images(2, 3, 8, 8)) == {
        "stem": (8, 8, 8),
        "stage0": (6, 8, 8),
        "stage1": (10, 4, 4),
        "stage2": (5, 2, 2),
        "pool": (5, 1, 1),
        "flatten": (5,),
        "head": (4,),
    }
    blocks = model.get_submodule("stage1")
    assert [name for name, _ in blocks.named_children()] == ["block0", "block1", "block2"]
    said = model.get_submodule("stage0")(model.get_submodule("stem")(images(2, 3, 8, 8)))
    assert set(shapes(blocks, said).values()) == {(10, 4, 4)}


@pytest.mark.parametrize(
    ("op", "kernels"),
    [("conv3x3", {3}), ("conv5x5", {5}), ("separable", {3, 1}), ("inverted", {1, 3})],
)
def test_an_operator_has_its_kernels(op: str, kernels: set[int]) -> None:
    model = network(ConvStages(strides=(1,)), stage(0, op, 6, 2), images(1, 1, 8, 8))
    layers = [
        layer for layer in model.get_submodule("stage0").modules() if isinstance(layer, nn.Conv2d)
    ]
    assert {layer.kernel_size for layer in layers} == {(kernel, kernel) for kernel in kernels}
    wide = [layer for layer in layers if layer.kernel_size > (1, 1)]
    assert all(
        (layer.groups == layer.in_channels) == (op in ("separable", "inverted")) for layer in wide
    )


def test_only_repeated_inverted_blocks_are_residual() -> None:
    model = network(ConvStages(strides=(1,)), stage(0, "inverted", 8, 2), images(1, 1, 8, 8))
    x = images(1, 8, 8, 8)
    for name, kept in (("block0", 0.0), ("block1", 1.0)):
        block = model.get_submodule(f"stage0.{name}")
        body = block.get_submodule("body")
        assert torch.allclose(block(x), body(x) + kept * x)


def test_every_convolution_is_normalized() -> None:
    for op in ("conv3x3", "conv5x5", "separable", "inverted"):
        model = network(ConvStages(strides=(1,)), stage(0, op, 6, 2), images(1, 1, 8, 8))
        modules = list(model.modules())
        behind = [
            after for before, after in itertools.pairwise(modules) if isinstance(before, nn.Conv2d)
        ]
        assert len(behind) >= 3
        assert all(isinstance(module, nn.BatchNorm2d) for module in behind)
        assert all(layer.bias is None for layer in modules if isinstance(layer, nn.Conv2d))
