from collections.abc import Hashable, Mapping

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from compressors.pruning import ChannelPruning
from compressors.quantization import Quantization
from nas.compress import compress, settings_of
from nas.layers import layers_at
from nas.lowering import lower_all_channels
from nas.measure import costs
from nas.seeds import seeded
from nas.space import Design
from nas.testing.compressor import check_compressor
from nas.testing.space import check_space
from search_spaces.blocks import Residual
from search_spaces.conv_blocks import OPERATORS, ConvBlocks

SMALL = ConvBlocks(widths=((3, 4), (4, 6)), stages=(1, 2), depths=(1, 2), bits=(2, 8))


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def images(*shape: int) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0))


def stage(
    number: int, width: int, halving: str, *operators: str, residual: bool = False
) -> dict[str, Hashable]:
    """The choices of a stage with a block of 4 bits for each operator."""
    site = f"stage{number}"
    blocks = {f"{site}.block{block}.op": op for block, op in enumerate(operators)}
    bits = {f"{site}.block{block}.bits": 4 for block in range(len(operators))}
    repeats = {f"{site}.residual": residual} if len(operators) > 1 else {}
    own = {f"{site}.width": width, f"{site}.halving": halving, f"{site}.depth": len(operators)}
    return {**own, **blocks, **bits, **repeats}


def network(space: ConvBlocks, design: Mapping[str, Hashable], example: Tensor) -> nn.Module:
    with seeded(0):
        return space.build(Design(design), example, 10).eval()


def one_stage(*given: str, width: int = 4, side: int = 8, residual: bool = False) -> nn.Module:
    """The network of one stage, of a halving and operators, for images of one channel."""
    design = {"stages": 1, **stage(0, width, *given, residual=residual)}
    return network(ConvBlocks(), design, images(2, 1, side, side))


def fingerprint(space: ConvBlocks, design: Design) -> str:
    """The modules of the network, and the ratio and bits of each layer."""
    model = network(space, design, images(1, 1, 16, 16))
    applied = {
        (name, kind): value
        for kind in ("prune", "bits")
        for site, value in settings_of(design, kind).items()
        for name in layers_at(model, site)
    }
    return f"{model} {sorted(applied.items())}"


def sizes(model: nn.Module, example: Tensor) -> list[tuple[int, ...]]:
    """The shape of one sample after each stage."""
    said = []
    for name, child in model.named_children():
        example = child(example)
        if name.startswith("stage"):
            said.append(tuple(example.shape[1:]))
    return said


@pytest.mark.parametrize(
    "shape", [pytest.param((2, 1, 28, 28), marks=pytest.mark.slow), (2, 3, 9, 6)]
)
def test_the_space_keeps_its_contract(shape: tuple[int, ...]) -> None:
    check_space(ConvBlocks(), images(*shape), 10, rng(), [Quantization()])


def test_a_space_with_ratios_keeps_its_contract() -> None:
    space = ConvBlocks(widths=((4,), (5, 6)), stages=(2,), depths=(2, 3), ratios=(0.0, 0.5))
    check_space(space, images(2, 2, 8, 8), 3, rng(), [ChannelPruning(), Quantization()])


@pytest.mark.parametrize(
    "compressor",
    [ChannelPruning(), Quantization(), Quantization(weights="lsq", activations="lsq")],
    ids=["pruning", "max", "lsq"],
)
def test_the_compressors_keep_their_contract_in_it(
    compressor: ChannelPruning | Quantization,
) -> None:
    space = ConvBlocks(stages=(1, 2), depths=(1, 2), ratios=(0.0, 0.25, 0.5))
    check_compressor(compressor, space, images(4, 1, 8, 8), 10, rng())


def test_one_choice_after_the_other() -> None:
    choices = SMALL.choices
    of_a_stage = (
        *("width", "halving", "depth", "block0.op", "block0.bits"),
        *("residual", "block1.op", "block1.bits"),
    )
    assert [choice.name for choice in choices] == [
        "stages",
        *(f"stage{number}.{name}" for number in (0, 1) for name in of_a_stage),
        "head.bits",
    ]
    # Widths, halvings, a first block, and perhaps a second one, residual or not; 2 bit-widths each.
    stem = 2 * 4 * (2 * 2) * (1 + 2 * 6 * 2)
    later = 2 * 3 * (6 * 2) * (1 + 2 * 6 * 2)
    assert choices.size == (stem + stem * later) * 2
    assert ConvBlocks().choices.size == 89_458_786_449_475_767_613_440


def test_the_share_of_pruned_channels_is_a_choice_only_where_there_are_ratios() -> None:
    assert "prune" not in {choice.kind for choice in ConvBlocks().choices}
    ratios = [c for c in ConvBlocks(ratios=(0.0, 0.5)).choices if c.kind == "prune"]
    assert [choice.site for choice in ratios] == ["stage0", "stage1", "stage2", "stage3"]


@pytest.mark.parametrize(
    "space",
    [
        ConvBlocks(widths=((4,),), stages=(1,), depths=(1, 2), bits=(2,), ratios=(0.0, 0.5)),
        ConvBlocks(
            widths=((4, 5), (4,)),
            stages=(1, 2),
            depths=(1, 2),
            operators=("conv3x3", "inverted3x3"),
            stem_halvings=("none",),
            halvings=("stride", "pool"),
            bits=(2,),
        ),
        ConvBlocks(
            widths=((4,), (4,)),
            stages=(1, 2),
            depths=(1,),
            operators=("separable5x5",),
            bits=(2, 8),
        ),
    ],
    ids=["a stage", "residuals", "halvings"],
)
def test_canonical_genotypes_are_all_the_different_networks(space: ConvBlocks) -> None:
    choices = space.choices
    found = {fingerprint(space, choices.decode(genotype)) for genotype in choices.enumerate()}
    assert len(found) == choices.size


def test_a_stage_that_is_left_out_has_no_choices_and_no_layers() -> None:
    choices = ConvBlocks(stages=(1, 2)).choices
    design = {"stages": 1, **stage(0, 4, "pool", "conv3x3"), "head.bits": 4}
    assert dict(choices.decode(choices.encode(design))) == design
    names = [name for name, _ in network(ConvBlocks(), design, images(1, 1, 8, 8)).named_children()]
    assert names == ["stage0", "pool", "flatten", "head"]


@pytest.mark.parametrize(
    ("halving", "side"), [("none", 28), ("stride", 14), ("pool", 14), ("both", 7)]
)
def test_a_stage_halves_its_maps_in_its_first_block_or_behind_it(halving: str, side: int) -> None:
    model = one_stage(halving, "conv3x3", "conv3x3", side=28)
    assert sizes(model, images(2, 1, 28, 28)) == [(4, side, side)]
    parts = [name for name, _ in model.get_submodule("stage0").named_children()]
    pooled = ["pool"] if halving in ("pool", "both") else []
    assert parts == ["block0", *pooled, "block1"]
    stride = 2 if halving in ("stride", "both") else 1
    convolution = model.get_submodule("stage0.block0.0")
    assert isinstance(convolution, nn.Conv2d)
    assert convolution.stride == (stride, stride)


def test_maps_of_one_pixel_are_not_halved() -> None:
    stages = {"stages": 3, **stage(0, 4, "both", "conv3x3")}
    stages |= {**stage(1, 6, "pool", "conv3x3"), **stage(2, 8, "stride", "conv3x3")}
    model = network(ConvBlocks(), stages, images(2, 1, 4, 9))
    assert sizes(model, images(2, 1, 4, 9)) == [(4, 1, 2), (6, 1, 2), (8, 1, 1)]


@pytest.mark.parametrize("op", OPERATORS)
def test_an_operator_has_its_kernels(op: str) -> None:
    block = one_stage("none", "conv3x3", op).get_submodule("stage0.block1")
    kind, kernel = op[:-3], int(op[-1])
    layers = [layer for layer in block.modules() if isinstance(layer, nn.Conv2d)]
    wide = [layer for layer in layers if layer.kernel_size == (kernel, kernel)]
    assert [layer.groups for layer in wide] == [{"conv": 1, "separable": 4, "inverted": 12}[kind]]
    assert len(layers) == {"conv": 1, "separable": 2, "inverted": 3}[kind]
    assert all(layer.kernel_size == (1, 1) for layer in layers if layer not in wide)


@pytest.mark.parametrize("op", OPERATORS)
def test_blocks_after_the_first_are_residual_if_the_design_says_so(op: str) -> None:
    model = one_stage("none", "conv3x3", op, op, residual=True)
    x = images(2, 4, 8, 8)
    for name in ("block1", "block2"):
        block = model.get_submodule(f"stage0.{name}")
        assert torch.equal(block(x), x + block.get_submodule("body")(x))
        assert not torch.equal(block(x), x)
    for plain in (model.get_submodule("stage0.block0"), one_stage("none", "conv3x3", op, op)):
        assert not any(isinstance(module, Residual) for module in plain.modules())


def test_default_designs_are_compact() -> None:
    drawn = rng()
    for shape in ((4, 1, 28, 28), (4, 3, 32, 32)):
        space, example = ConvBlocks(), images(*shape)
        said = []
        for _ in range(20):
            design = space.choices.decode(space.choices.sample(drawn))
            small = compress(network(space, design, example), design, [Quantization()], example)
            said.append(costs(small, lower_all_channels(small, example)))
        for name, least, most in (("size_bytes", 500, 20_000), ("macs", 50_000, 10_000_000)):
            within = [least <= cost[name] <= most for cost in said]
            assert sum(within) >= 14


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"stages": (1, 5)}, "stages must be numbers from 1 to 4, .* but got"),
        ({"stages": ()}, "stages must be numbers from 1 to 4"),
        ({"operators": ("conv3x3", "conv7x7")}, r"operators must be of .*'conv7x7'"),
        ({"halvings": ("pooling",)}, r"halvings must be of .*'pooling'"),
        ({"stem_halvings": ("twice",)}, r"stem_halvings must be of .*'twice'"),
    ],
)
def test_unknown_options_are_refused(wrong: dict[str, tuple[str, ...]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ConvBlocks(**wrong)  # type: ignore[arg-type]
