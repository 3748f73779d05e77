import copy
import doctest
import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from compressors import factors, low_rank
from compressors.factors import Method, by_energy, by_ratio, factorized
from compressors.low_rank import LowRank, factorizable, factorize
from compressors.quantization import Quantization
from nas.compress import compress
from nas.lowering import lower, snapped
from nas.packed import pack, unpack
from nas.program import Interpreter
from nas.space import Choice, Choices, Design
from nas.testing.compressor import check_compressor

IMAGES = torch.rand(4, 3, 9, 8, generator=torch.Generator().manual_seed(0))


def seeded(make: Any) -> Any:
    torch.manual_seed(0)
    return make()


def weights(module: nn.Module) -> list[tuple[int, ...]]:
    return [
        tuple(layer.weight.shape)
        for layer in module.modules()
        if isinstance(layer, (nn.Conv2d, nn.Linear))
    ]


def test_a_linear_layer_of_low_rank_is_reproduced_exactly() -> None:
    layer = seeded(lambda: nn.Linear(20, 12))
    with torch.no_grad():
        layer.weight.copy_(torch.rand(12, 3) @ torch.rand(3, 20) - 0.3)
    x = torch.rand(5, 20)
    factors = factorized(layer, by_energy(1.0))
    assert weights(factors) == [(4, 20), (12, 4)]
    assert torch.allclose(factors(x), layer(x), atol=1e-5)


@pytest.mark.parametrize(
    ("method", "shapes"),
    [
        ("spatial", [(6, 3, 3, 1), (16, 6, 1, 3)]),
        ("tucker", [(2, 3, 1, 1), (10, 2, 3, 3), (16, 10, 1, 1)]),
    ],
)
def test_a_convolution_becomes_thinner_ones_with_its_geometry(
    method: Method, shapes: list[tuple[int, ...]]
) -> None:
    layer = seeded(lambda: nn.Conv2d(3, 16, 3, stride=(2, 1), padding=(1, 2), dilation=(1, 2)))
    thinner = factorized(layer, by_ratio(0.67), method)
    assert weights(thinner) == shapes
    assert thinner(IMAGES).shape == layer(IMAGES).shape
    # At full rank the factors are exact.
    if method == "spatial":
        pair = factors._spatial(layer, by_ratio(1.0))
        assert torch.allclose(nn.Sequential(*pair)(IMAGES), layer(IMAGES), atol=1e-5)
    else:
        triple = factors._tucker(layer, by_ratio(1.0))
        assert torch.allclose(nn.Sequential(*triple)(IMAGES), layer(IMAGES), atol=1e-5)


def test_a_pointwise_convolution_is_a_linear_layer_for_every_method() -> None:
    layer = seeded(lambda: nn.Conv2d(16, 16, 1))
    x = torch.rand(2, 16, 3, 3)
    results = [
        factorized(copy.deepcopy(layer), by_ratio(0.25), method) for method in ("spatial", "tucker")
    ]
    assert weights(results[0]) == weights(results[1]) == [(4, 16, 1, 1), (16, 4, 1, 1)]
    assert torch.equal(results[0](x), results[1](x))


def test_the_singular_vectors_kept_are_the_best_ones() -> None:
    layer = seeded(lambda: nn.Linear(30, 20, bias=False))
    factors = factorized(layer, by_ratio(0.5))
    assert isinstance(factors, nn.Sequential)
    first, second = factors
    rest = torch.linalg.svdvals(layer.weight)[10:]
    error = (second.weight @ first.weight - layer.weight).norm()  # type: ignore[operator]
    assert error.item() == pytest.approx(rest.norm().item(), rel=1e-4)  # Eckart and Young


def test_higher_order_iteration_is_no_worse_than_two_separate_decompositions() -> None:
    layer = seeded(lambda: nn.Conv2d(8, 12, 3, bias=False))
    weight = layer.weight.detach().double()
    outer, inner = (
        factors._basis(m, by_ratio(0.5))
        for m in (weight.flatten(1), weight.transpose(0, 1).flatten(1))
    )
    separate = torch.einsum("oihw,or,is,pr,qs->pqhw", weight, outer, inner, outer, inner)
    reduce, middle, expand = (
        factor.weight.double() for factor in factors._tucker(layer, by_ratio(0.5))
    )
    joint = torch.einsum("rshw,or,si->oihw", middle, expand[:, :, 0, 0], reduce[:, :, 0, 0])
    assert (joint - weight).norm() < (separate - weight).norm()


def test_nothing_grows() -> None:
    layer = seeded(lambda: nn.Linear(8, 8))
    assert factorized(layer, by_ratio(0.5)) is layer  # 4 · 16 weights are not fewer than 64
    assert weights(factorized(layer, by_ratio(0.49))) == [(3, 8), (8, 3)]


@pytest.mark.parametrize(
    ("energy", "kept"), [(0.5, 1), (0.66, 1), (0.67, 2), (0.83, 2), (0.84, 3), (1.0, 3)]
)
def test_an_energy_is_a_share_of_the_squares(energy: float, kept: int) -> None:
    assert by_energy(energy)(torch.tensor([2.0, 1.0, 1.0])) == kept


@pytest.mark.parametrize("ratio", [0.0, 1.1, -1.0, "half", True, float("nan")])
def test_a_ratio_out_of_range_is_refused(ratio: Any) -> None:
    with pytest.raises(ValueError, match="a rank ratio must be above 0 and at most 1, but got"):
        by_ratio(ratio)
    with pytest.raises(ValueError, match="a rank ratio must be above 0"):
        LowRank().apply(nn.Sequential(nn.Linear(9, 9)), {"0": ratio}, torch.rand(1, 9))


@pytest.mark.parametrize("energy", [0.0, 1.5, float("nan")])
def test_an_energy_out_of_range_is_refused(energy: float) -> None:
    with pytest.raises(ValueError, match="an energy must be above 0 and at most 1, but got"):
        by_energy(energy)


def test_layers_without_a_rank_are_refused() -> None:
    with pytest.raises(
        ValueError, match=r"must have one group to be factorized, but has 4: .* leave it out"
    ):
        factorized(nn.Conv2d(4, 4, 3, groups=4), by_ratio(0.5))
    with pytest.raises(
        ValueError, match="must be a convolution or linear to be factorized, but is a ReLU"
    ):
        factorized(nn.ReLU(), by_ratio(0.5))
    with pytest.raises(
        ValueError, match="must pad with a number of zeros to be factorized, but has 'circular'"
    ):
        factorized(nn.Conv2d(4, 4, 3, padding=1, padding_mode="circular"), by_ratio(0.5))
    with pytest.raises(
        ValueError, match="must hold a layer without groups to have a rank, but 'a' has none"
    ):
        LowRank().apply(grouped(), {"a": 0.5}, IMAGES)


def grouped() -> nn.Module:
    model = nn.Sequential()
    model.add_module("a", nn.Conv2d(4, 4, 3, groups=4))
    return model


class Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem, self.mix = (
            nn.Conv2d(3, 24, 3, padding=1, bias=False),
            nn.Conv2d(24, 24, 3, padding=1, groups=24),
        )
        self.norm, self.head = nn.BatchNorm2d(24), nn.Linear(24, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.mix(torch.relu(self.norm(self.stem(x)))))
        said: Tensor = self.head(torch.flatten(nn.functional.adaptive_avg_pool2d(x, 1), 1))
        return said


@pytest.mark.parametrize("method", ["spatial", "tucker"])
def test_a_factorized_network_is_quantized_and_packed(method: Method) -> None:
    model = seeded(Network)
    design = {"stem.rank": 0.5, "head.rank": 0.3, "bits": 8}
    squeezed = compress(model, design, [LowRank(method), Quantization()], IMAGES)
    names = [
        name
        for name, layer in squeezed.named_modules()
        if isinstance(layer, (nn.Conv2d, nn.Linear))
    ]
    assert names == [
        "stem.0",
        "stem.1",
        *(["stem.2"] if method == "tucker" else []),
        "mix",
        "head.0",
        "head.1",
    ]
    program = unpack(pack(lower(snapped(squeezed), IMAGES)))
    with torch.no_grad():
        steps = (Interpreter(program)(IMAGES) - squeezed.eval()(IMAGES)).abs() / program.tensors[
            -1
        ].scale
    assert (steps < 1.01).all()
    assert sum(p.numel() for p in squeezed.parameters()) < sum(
        p.numel() for p in model.parameters()
    )


def test_a_rank_of_1_leaves_a_layer_whole() -> None:
    model = seeded(Network)
    assert LowRank().apply(model, {"": 1, "stem": 0.3}, IMAGES) is model
    assert isinstance(model.stem, nn.Sequential)
    assert isinstance(model.head, nn.Linear)


def test_a_layer_with_two_names_is_factorized_under_both() -> None:
    model = nn.ModuleDict({"a": nn.Linear(30, 30)})
    model["b"] = model["a"]
    factors = factorize(model, by_ratio(0.2))
    assert factors.get_submodule("a") is factors.get_submodule("b")
    assert weights(factors.get_submodule("a")) == [(6, 30), (30, 6)]
    assert isinstance(model["a"], nn.Linear)


class Ranks:
    choices = Choices(
        [Choice("stem", "rank", (0.25, 0.5, 1.0)), Choice("head", "rank", (0.1, 0.3))]
    )

    def build(self, design: Design, example: Tensor, classes: int) -> nn.Module:
        return Network()


@pytest.mark.parametrize("method", ["spatial", "tucker"])
def test_the_compressor_keeps_its_contract(method: Method) -> None:
    check_compressor(LowRank(method), Ranks(), IMAGES, 10, np.random.default_rng(0))


def test_the_examples_in_the_documentation_are_true() -> None:
    assert doctest.testmod(low_rank).failed == 0
    assert doctest.testmod(low_rank).attempted > 0


def test_layers_whose_factors_are_smaller_are_listed() -> None:
    convolutions = [
        nn.Conv2d(3, 16, 3),
        nn.Conv2d(16, 16, 3, groups=16),
        nn.Conv2d(16, 16, 3, padding_mode="circular"),
    ]
    model = nn.Sequential(*convolutions, nn.Flatten(), nn.Linear(96, 40), nn.Linear(40, 1))
    assert factorizable(model, 0.25) == ["0", "4"]
    assert factorizable(model, 0.75, "tucker") == ["0"]
    assert factorizable(model, 1.0) == []
    for name in ("0", "4"):
        smaller = LowRank().apply(copy.deepcopy(model), {name: 0.25}, IMAGES).get_submodule(name)
        assert sum(map(math.prod, weights(smaller))) < math.prod(
            weights(model.get_submodule(name))[0]
        )
    with pytest.raises(ValueError, match="a rank ratio must be above 0"):
        factorizable(model, 0.0)
