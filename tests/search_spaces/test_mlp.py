import itertools

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
from search_spaces.mlp import Mlp

SMALL = Mlp(layers=2, widths=(3, 5), ratios=(0.0, 0.5), bits=(2, 8))
DEEP = {"depth": 2, "head.bits": 8} | {
    f"hidden{i}.{kind}": value for i in range(2) for kind, value in (("prune", 0.0), ("bits", 2))
}


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def images(*shape: int) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0))


def fingerprint(space: Mlp, design: Design, example: Tensor) -> str:
    """The modules of the network, and the ratio and bits of each layer."""
    with seeded(0):
        model = space.build(design, example, 4)
    applied = {
        (name, kind): value
        for kind in ("prune", "bits")
        for site, value in settings_of(design, kind).items()
        for name in layers_at(model, site)
    }
    return f"{model} {sorted(applied.items())}"


@pytest.mark.parametrize("shape", [(2, 1, 8, 8), (2, 13), (4, 3, 5, 5)])
def test_the_space_keeps_its_contract(shape: tuple[int, ...]) -> None:
    check_space(Mlp(), images(*shape), 10, rng(), (ChannelPruning(), Quantization()))


@pytest.mark.parametrize(
    "compressor",
    [ChannelPruning(), Quantization(), Quantization(activation_bits=4)],
    ids=lambda c: c.kind,
)
def test_the_compressors_keep_their_contract_in_it(
    compressor: ChannelPruning | Quantization,
) -> None:
    check_compressor(compressor, Mlp(), images(8, 1, 8, 8), 10, rng())


def test_one_choice_after_the_other() -> None:
    assert [choice.name for choice in SMALL.choices] == [
        "depth",
        *("hidden0.width", "hidden0.prune", "hidden0.bits"),
        *("hidden1.width", "hidden1.prune", "hidden1.bits"),
        "head.bits",
    ]
    assert SMALL.choices.arities == (2, 2, 2, 2, 2, 2, 2, 2)
    assert SMALL.choices.size == (8 + 8 * 8) * 2
    assert Mlp().choices.size == 3_685_950


def test_canonical_genotypes_are_all_the_different_networks() -> None:
    choices, example = SMALL.choices, images(1, 6)
    canonical = {
        choices.canonical(genotype) for genotype in itertools.product(*map(range, choices.arities))
    }
    assert len(canonical) == choices.size
    assert (
        len({fingerprint(SMALL, choices.decode(genotype), example) for genotype in canonical})
        == choices.size
    )


def test_a_network_has_the_layers_of_its_design() -> None:
    model = Mlp().build(
        Design({**DEEP, "hidden0.width": 5, "hidden1.width": 7}), images(2, 3, 2, 2), 4
    )
    assert [name for name, _ in model.named_children()] == ["flatten", "hidden0", "hidden1", "head"]
    weights = {
        name: tuple(module.weight.shape)
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear)
    }
    assert weights == {"hidden0.0": (5, 12), "hidden1.0": (7, 5), "head": (4, 7)}
    assert [type(module) for module in model.get_submodule("hidden1").children()] == [
        nn.Linear,
        nn.BatchNorm1d,
        nn.ReLU,
    ]
    # Before normalization, which has a shift, a bias would be redundant.
    assert [name for name, _ in model.named_parameters() if name.endswith("bias")] == [
        "hidden0.1.bias",
        "hidden1.1.bias",
        "head.bias",
    ]


def test_deeper_layers_are_left_out_of_shallow_designs() -> None:
    for genotype in itertools.product(range(2), repeat=8):
        design = SMALL.choices.decode(SMALL.choices.canonical(genotype))
        assert any(name.startswith("hidden1") for name in design) == (design["depth"] == 2)
        assert "hidden0.width" in design
