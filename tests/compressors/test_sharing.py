import copy
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from compressors import kmeans
from compressors.kmeans import cluster
from compressors.quantization import Quantization
from compressors.schedules import cubic, one_shot
from compressors.sharing import Sharing, share, shareable
from compressors.sparsity import WeightPruning
from nas.compress import Compressor, compress
from nas.lowering import lower, lower_all_channels, snapped
from nas.mask import Schedule
from nas.onnx.floating import float_to_onnx
from nas.packed import flash_bytes, ledger, pack, unpack
from nas.packed.bits import packed_bytes
from nas.program import Layer, Linear, logits
from nas.quantize import SharedConv2d, SharedLinear
from nas.quantize.weight_quantizers import WeightMethod
from nas.seeds import seeded
from nas.space import Choice, Choices, Design
from nas.testing.compressor import check_compressor


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def network(seed: int = 0) -> nn.Sequential:
    with seeded(seed):
        model = nn.Sequential(
            *(nn.Conv2d(2, 8, 3, bias=False), nn.BatchNorm2d(8), nn.ReLU()),
            *(nn.Conv2d(8, 8, 3, groups=8), nn.BatchNorm2d(8), nn.ReLU()),
            *(nn.Flatten(), nn.Linear(32, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 5)),
        )
        for module in model.modules():
            if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
                nn.init.normal_(module.weight)  # gains of both signs
                nn.init.normal_(module.bias)
                assert module.running_mean is not None
                module.running_mean.normal_()
    return model


IMAGES = noise(40, 2, 6, 6)
LABELS = torch.arange(40) % 5
LAYERS = ["0", "3", "7", "10"]


def train(model: nn.Module, steps: int = 15) -> nn.Module:
    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.05)
    for _ in range(steps):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(IMAGES), LABELS).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return model


def weights(model: nn.Module) -> list[Tensor]:
    """The rounded weights of each layer."""
    layers = [
        module for module in model.modules() if isinstance(module, (SharedConv2d, SharedLinear))
    ]
    return [layer.codebook().detach() for layer in layers]


def test_centers_by_hand() -> None:
    values = np.array([5.0, 0.0, 1.0, 6.0, 0.2, 5.5])
    centers, found = cluster(values, 2)
    assert centers.tolist() == pytest.approx([0.4, 5.5])
    assert found.tolist() == [1, 0, 0, 1, 0, 1]


def test_centers_begin_evenly_between_the_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kmeans, "ROUNDS", 0)
    assert cluster(np.array([5.0, -3.0, 0.0]), 5)[0].tolist() == [-3.0, -1.0, 1.0, 3.0, 5.0]


def test_centers_are_where_nothing_moves_and_no_cluster_is_empty() -> None:
    values = np.random.default_rng(0).standard_t(
        2, 3000
    )  # a few far out: most even starts are nearest to nothing
    for entries in (2, 5, 32, 256):
        centers, found = cluster(values, entries)
        counts = np.bincount(found, minlength=entries)
        assert len(centers) == entries
        assert counts.min() >= 1
        assert (np.diff(centers) > 0).all()
        nearest = np.abs(values[:, np.newaxis] - centers).argmin(1)
        assert (np.abs(values - centers[found]) <= np.abs(values - centers[nearest]) + 1e-12).all()
    means = np.bincount(found, values) / counts
    assert np.abs(means - centers).max() < 0.05 * values.std()


def test_more_entries_are_nearer_and_few_beat_even_ones() -> None:
    values = np.random.default_rng(0).normal(size=5000)

    def error(entries: int) -> float:
        centers, found = cluster(values, entries)
        return float(((values - centers[found]) ** 2).mean())

    errors = [error(entries) for entries in (2, 4, 16, 64)]
    assert errors == sorted(errors, reverse=True)
    # Errors of the optimal quantizers of a normal distribution (Max, 1960), of 2 and 4 levels.
    assert errors[:2] == pytest.approx([0.3634, 0.1175], rel=0.05)


def test_fewer_different_weights_than_entries_are_kept_as_they_are() -> None:
    values = np.array([1.0, 1.0, -2.0, 3.0])
    centers, found = cluster(values, 8)
    assert centers[found].tolist() == values.tolist()


@pytest.mark.parametrize("entries", [2, 16, 256])
def test_each_layer_has_so_many_different_weights(entries: int) -> None:
    shared = share(network(), entries)
    assert [
        name
        for name, module in shared.named_modules()
        if isinstance(module, (SharedConv2d, SharedLinear))
    ] == LAYERS
    for name in LAYERS:
        layer = shared.get_submodule(name)
        assert isinstance(layer, (SharedConv2d, SharedLinear))
        assert layer.codebook.values.shape == (entries,)
        assert len(torch.unique(layer.weight)) == min(
            entries, len(network().get_parameter(f"{name}.weight").flatten())
        )


def test_the_function_is_nearly_kept_by_many_entries() -> None:
    expected = network().eval()(IMAGES)
    errors = [
        ((share(network(), entries).eval()(IMAGES) - expected).norm() / expected.norm()).item()
        for entries in (4, 16, 256)
    ]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 0.02


def test_the_gradient_of_a_value_is_the_sum_of_its_weights_gradients() -> None:
    layer = share(nn.Sequential(nn.Linear(6, 4)), 3)[0]  # type: ignore[index]
    assert isinstance(layer, SharedLinear)
    weight = layer.codebook().detach().requires_grad_()
    inputs, upstream = noise(5, 6), noise(5, 4, seed=1)
    layer(inputs).backward(upstream)
    nn.functional.linear(inputs, weight, layer.bias).backward(upstream)  # type: ignore[no-untyped-call]
    assert weight.grad is not None
    assert layer.codebook.values.grad is not None
    for entry in range(3):
        members = layer.codebook.assignments.view(4, 6) == entry
        assert members.any()
        assert layer.codebook.values.grad[entry].item() == pytest.approx(
            weight.grad[members].sum().item(), rel=1e-5
        )


def test_zeros_stay_zero_and_clusters_stay_clusters_through_training() -> None:
    model = network()
    with torch.no_grad():
        for name in LAYERS:
            weight = model.get_parameter(f"{name}.weight")
            weight[noise(*weight.shape) < 0.5] = 0.0
    shared = share(model, 4)
    before = weights(shared)
    zeros = [weight == 0 for weight in before]
    assert all(((found == 0) == zero).all() for found, zero in zip(before, zeros, strict=True))
    quantized = train(Quantization().apply(shared, {"": 4}, IMAGES))
    after = weights(quantized)
    for old, new, zero in zip(before, after, zeros, strict=True):
        assert torch.equal(new == 0, zero) or len(torch.unique(new)) < len(torch.unique(old))
        assert (new[zero] == 0).all()
        assert not torch.equal(old, new)
        assert len(torch.unique(new)) <= 4
        # Weights with the same value still have one.
        for value in torch.unique(old):
            assert len(torch.unique(new[old == value])) == 1


@pytest.mark.parametrize("entries", [2, 5, 16, 64])
@pytest.mark.parametrize(("weights", "bits"), [("max", 8), ("affine", 8), ("affine", 3)])
def test_the_program_gives_the_outputs_of_the_trained_network(
    entries: int, weights: WeightMethod, bits: int
) -> None:
    trained = train(
        Quantization(weights=weights).apply(share(network(), entries), {"": bits}, IMAGES), steps=8
    )
    program = lower(snapped(trained), IMAGES)
    inputs = noise(200, 2, 6, 6, seed=1)
    with torch.no_grad():
        said = trained.eval()(inputs).numpy()
    off = np.abs(logits(unpack(pack(program)), inputs) - said) / program.tensors[-1].scale
    assert (off < 0.01).mean() > 0.995
    assert off.max() < 1.5
    for operation in program.operations:
        if isinstance(operation, Layer):
            assert operation.weights.entries == entries
            assert (operation.weights.zero_points is not None) == (weights == "affine")
            assert len(np.unique(operation.weights.values)) <= entries


@pytest.mark.parametrize("shared_first", [True, False])
def test_shared_values_are_affine_where_the_weights_were_to_be(shared_first: bool) -> None:
    compressors: list[Compressor] = [Sharing(), Quantization(weights="affine")]
    design = {"codebook_size": 8, "bits": 4, "7.bits": 3}
    program = lower_all_channels(
        compress(network(), design, compressors if shared_first else compressors[::-1], IMAGES),
        IMAGES,
    )
    layers = [operation for operation in program.operations if isinstance(operation, Layer)]
    assert [layer.weights.bits for layer in layers] == [4, 4, 3, 4]
    for layer in layers:
        levels, zeros = layer.weights.levels, layer.weights.zero_points
        # Positive gains and one scale: one zero point, and no more values than entries.
        assert zeros is not None
        assert len(np.unique(zeros)) == 1
        assert 3 < len(np.unique(levels)) <= 8
        assert levels.max() - levels.min() >= 2**layer.weights.bits - 2
    assert len(pack(program)) <= flash_bytes(program)


def test_gains_stay_positive_or_signs_would_double_the_codebook() -> None:
    model = network()
    assert (model.get_parameter("1.weight") < 0).any()
    expected = model.eval()(IMAGES)
    shared = share(model, 256)
    assert torch.allclose(shared.eval()(IMAGES), expected, atol=0.05)
    assert all((shared.get_parameter(f"{name}.weight") > 0).all() for name in ("1", "4", "8"))
    with torch.no_grad():
        shared.get_parameter("1.weight").sub_(2.0)
    shared(IMAGES)
    assert (shared.get_parameter("1.weight") > 0).all()
    with torch.no_grad():
        shared.get_parameter("4.weight").sub_(100.0)
    assert len(np.unique(weights_of(lower_all_channels(shared, IMAGES), 1))) <= 256
    assert model.get_parameter("1.weight").min() < 0  # the network itself is left alone


def weights_of(program: Any, index: int) -> Any:
    layers = [operation for operation in program.operations if isinstance(operation, Layer)]
    return layers[index].weights.values


def test_files_hold_indices_and_a_codebook() -> None:
    with seeded(0):
        model = nn.Sequential(nn.Linear(100, 80), nn.ReLU(), nn.Linear(80, 10))
    inputs = noise(8, 100)
    sizes = {}
    for entries in (16, 17, 32):
        program = lower(share(model, entries), inputs)
        packed = pack(program)
        parts = {(entry.layer, entry.purpose): entry.bytes for entry in ledger(packed)}
        width = (entries - 1).bit_length()
        stored = sum(
            size for (layer, part), size in parts.items() if part in ("weights", "codebooks")
        )
        assert stored <= packed_bytes(8000, width) + packed_bytes(800, width) + 2 * (1 + entries)
        assert sum(size for (_, part), size in parts.items() if part == "codebooks") > 0
        assert len(packed) <= flash_bytes(program)
        sizes[entries] = flash_bytes(program)
    assert sizes[17] - sizes[16] == (8800 // 8) + 2
    assert sizes[32] - sizes[17] == 2 * 15
    assert flash_bytes(lower(model, inputs)) - sizes[16] == 8800 // 2 - 2 * 17


def test_costs_follow_from_the_settings_alone() -> None:
    counted = {
        flash_bytes(lower_all_channels(share(network(seed), 16), IMAGES)) for seed in range(3)
    }
    trained = train(Quantization().apply(share(network(), 16), {"": 8}, IMAGES))
    counted.add(flash_bytes(lower_all_channels(snapped(trained), IMAGES)))
    assert len(counted) == 1


class Space:
    choices = Choices(
        [
            Choice("a", "codebook_size", (0, 2, 16)),
            Choice("b", "codebook_size", (4, 256)),
            Choice("b", "bits", (3, 8)),
        ]
    )

    def build(self, design: Design, example: Tensor, classes: int) -> nn.Module:
        model = nn.Sequential()
        model.add_module(
            "a", nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten())
        )
        model.add_module("b", nn.Linear(144, classes))
        return model


def test_the_contract_is_kept() -> None:
    check_compressor(Sharing(), Space(), torch.rand(16, 1, 8, 8), 3, np.random.default_rng(0))
    check_compressor(Quantization(), Space(), torch.rand(16, 1, 8, 8), 3, np.random.default_rng(0))


@pytest.mark.parametrize("first", ["codebook_size", "bits"])
def test_values_have_the_bits_of_their_layer_whichever_comes_first(first: str) -> None:
    model = network()
    if first == "codebook_size":
        model = Quantization().apply(Sharing().apply(model, {"": 8}, IMAGES), {"": 3}, IMAGES)  # type: ignore[assignment]
    else:
        model = Sharing().apply(Quantization().apply(model, {"": 3}, IMAGES), {"": 8}, IMAGES)  # type: ignore[assignment]
    program = lower(snapped(train(model, 3)), IMAGES)
    found = [
        (operation.weights.bits, operation.weights.entries)
        for operation in program.operations
        if isinstance(operation, Layer)
    ]
    assert found == [(3, 8)] * 4


def test_an_inner_site_decides_and_0_shares_nothing() -> None:
    shared = share(network(), {"": 4, "3": 0, "7": 8})
    assert type(shared.get_submodule("3")) is nn.Conv2d
    sizes = [
        len(layer.codebook.values)
        for layer in shared.modules()
        if isinstance(layer, (SharedConv2d, SharedLinear))
    ]
    assert sizes == [4, 8, 4]


def test_layers_of_zeros_are_finite() -> None:
    model = nn.Sequential(nn.Linear(4, 3))
    nn.init.zeros_(model.get_parameter("0.weight"))
    shared = share(model, 4)
    assert (weights(shared)[0] == 0).all()
    assert shared(noise(2, 4)).isfinite().all()
    program = lower(shared, noise(2, 4))
    assert len(pack(program)) <= flash_bytes(program)


@pytest.mark.parametrize("entries", [1, 257, -2, True, 4.0, "16", None])
def test_other_numbers_of_values_are_refused_with_their_site(entries: Any) -> None:
    with pytest.raises(
        ValueError,
        match=rf"a codebook size must be 0 or one of 2 … 256, but got {entries!r} at '3'",
    ):
        share(network(), {"3": entries})


def test_weights_of_one_bit_and_shared_weights_are_refused() -> None:
    quantized = Quantization().apply(network(), {"3": 1}, IMAGES)
    with pytest.raises(ValueError, match="weights of 1 bit have two values already: '3'"):
        Sharing().apply(quantized, {"3": 4}, IMAGES)
    with pytest.raises(
        ValueError, match=r"weights that share values must have 2 to 8 bits, but got 1 at \['3'\]"
    ):
        Quantization().apply(share(network(), {"3": 4}), {"3": 1}, IMAGES)
    with pytest.raises(ValueError, match="can be shared once, but those of '3' are shared already"):
        share(share(network(), 4), {"3": 4})
    with pytest.raises(ValueError, match="must name a module of the network"):
        share(network(), {"x": 4})


def test_the_given_network_is_left_alone() -> None:
    model = network()
    before = copy.deepcopy(model.state_dict())
    share(model, 4)
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


def test_the_network_in_floats_is_exported_with_its_weights_written_out() -> None:
    shared = share(network(), 16).eval()
    model = float_to_onnx(shared, IMAGES)
    assert {tuple(tensor.dims) for tensor in model.graph.initializer} >= {
        (8, 2, 3, 3),
        (16, 32),
        (5, 16),
    }


@pytest.mark.parametrize("schedule", [one_shot, cubic])
def test_masked_weights_share_their_zero_and_are_counted_so(schedule: Schedule) -> None:
    torch.manual_seed(0)
    model, images = (
        nn.Sequential(nn.Linear(64, 60), nn.ReLU(), nn.Linear(60, 10)),
        torch.rand(32, 64),
    )
    design = {"0.sparsity": 0.9, "0.codebook_size": 16, "bits": 8}
    squeezed = compress(
        model, design, [WeightPruning(schedule=schedule), Sharing(), Quantization()], images
    )
    program = lower(snapped(squeezed), images)
    layer = program.operations[0]
    assert isinstance(layer, Linear)
    assert np.count_nonzero(layer.weights.values) <= 384
    assert len(np.unique(layer.weights.values)) <= 16
    # 384 indices of 4 bits and gaps, against 3,840 indices; 600 weights of 8 bits in the head.
    assert len(pack(program)) <= flash_bytes(program) < 700 + 600 + 70 * 6 + 100


def test_layers_that_shared_values_make_smaller_are_listed() -> None:
    inputs = {
        16: 34,
        4: 6,
        256: 4096,
    }  # 16 indices of 4 bits and 17 bytes take what 34 weights of 8 bits do
    for entries, least in inputs.items():
        model = nn.Sequential(nn.Linear(least, 1), nn.Linear(least + 1, 1))
        expected = [] if entries == 256 else ["1"]
        assert shareable(model, entries) == expected
    with pytest.raises(ValueError, match="a codebook size must be 0 or one of"):
        shareable(nn.Linear(2, 2), 1)
