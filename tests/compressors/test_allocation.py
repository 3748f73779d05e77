import copy
from itertools import product

import pytest
import torch
from torch import Tensor, nn

from compressors import allocate, quantize
from compressors.allocation import LayerOption, _least_divergence
from compressors.quantization import Quantization
from nas.lowering import lower_all_channels
from nas.packed import pack
from nas.seeds import seeded

BITS = (2, 3, 4, 8)


def network() -> nn.Module:
    with seeded(0):
        model = nn.Sequential(
            *(nn.Conv2d(1, 6, 3, bias=False), nn.BatchNorm2d(6), nn.ReLU()),
            *(nn.Conv2d(6, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(128, 5)),
        )
        model(torch.rand(64, 1, 8, 8))  # running statistics that are not those of the start
    return model.eval()


IMAGES = torch.rand(32, 1, 8, 8, generator=torch.Generator().manual_seed(1))


def length(model: nn.Module, images: Tensor = IMAGES) -> int:
    return len(pack(lower_all_channels(model, images)))


@pytest.mark.parametrize("size", [600, 800, 1000])
def test_the_file_is_within_the_budget_and_as_long_as_it_says(size: int) -> None:
    found = allocate(network(), IMAGES, size_bytes=size, bits=BITS)
    assert found.size_bytes <= size
    assert length(found.model) == found.size_bytes
    assert length(quantize(network(), found.bits, IMAGES)) == found.size_bytes
    assert set(found.bits) == {"0", "3", "6"}


def test_more_bytes_leave_more_bits_and_less_divergence() -> None:
    found = [allocate(network(), IMAGES, size_bytes=size, bits=BITS) for size in (600, 800, 5000)]
    assert found[0].divergence > found[1].divergence > found[2].divergence >= 0
    assert set(found[2].bits.values()) == {8}


def test_options_are_measured_one_layer_at_a_time() -> None:
    model = network()
    found = allocate(model, IMAGES, size_bytes=5000, bits=BITS)
    for name, row in found.options.items():
        assert list(row) == list(BITS)
        sizes = [option.size_bytes for option in row.values()]
        assert sizes == sorted(sizes)
        assert row[2].divergence > row[8].divergence >= 0
        others = {other: 8 for other in found.options if other != name}
        ends = [length(quantize(model, {**others, name: bits}, IMAGES)) for bits in (2, 8)]
        # Biases have other widths with other bits.
        assert ends[1] - ends[0] == pytest.approx(row[8].size_bytes - row[2].size_bytes, abs=16)


def test_the_sum_of_divergences_is_the_least_of_all_that_fit() -> None:
    rng = torch.Generator().manual_seed(0)
    drawn = torch.rand(3, len(BITS), 2, generator=rng)
    options = {
        str(layer): {
            bits: LayerOption(int(100 * size), float(loss))
            for bits, (loss, size) in zip(BITS, drawn[layer].tolist(), strict=True)
        }
        for layer in range(3)
    }
    for budget in (20, 60, 100, 150, 300):
        fitting = [
            sum(option.divergence for option in chosen)
            for chosen in product(*(row.values() for row in options.values()))
            if sum(option.size_bytes for option in chosen) <= budget
        ]
        found = _least_divergence(options, budget)
        if found is None:
            assert not fitting
        else:
            reached = sum(options[name][bits].divergence for name, bits in found.items())
            assert reached == pytest.approx(min(fitting))


def test_the_network_is_not_changed_and_the_result_is_repeatable() -> None:
    model = network()
    before = copy.deepcopy(model.state_dict())
    first, again = (allocate(model, IMAGES, size_bytes=800, bits=BITS) for _ in range(2))
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert not model.training
    assert (first.bits, first.divergence) == (again.bits, again.divergence)


def test_the_method_of_quantization_is_that_of_the_caller() -> None:
    method = Quantization(weights="affine", activation_bits=6)
    found = allocate(network(), IMAGES, size_bytes=800, bits=BITS, method=method)
    assert length(quantize(network(), found.bits, IMAGES, method)) == found.size_bytes


@pytest.mark.parametrize(
    ("size", "bits", "message"),
    [
        (100, BITS, r"must have at least \d+ bytes with weights of \[2, 3, 4, 8\] bits, but may"),
        (5000, (), r"bits must be one or more of \(1, 2, .*, 8\), but got \(\)"),
        (5000, (2, 9), r"bits must be one or more of \(1, 2, .*, 8\), but got \(2, 9\)"),
    ],
)
def test_what_cannot_be_allocated_is_refused(
    size: int, bits: tuple[int, ...], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        allocate(network(), IMAGES, size_bytes=size, bits=bits)


def test_a_quantized_network_is_refused() -> None:
    with pytest.raises(ValueError, match="must have plain layers to be allocated bits"):
        allocate(quantize(network(), 8, IMAGES), IMAGES, size_bytes=5000)
