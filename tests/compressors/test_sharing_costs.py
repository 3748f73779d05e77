import numpy as np
import pytest
import torch
from torch import nn

from compressors.quantization import Quantization
from compressors.schedules import cubic, one_shot
from compressors.sharing import Sharing, share, shareable
from compressors.sparsity import WeightPruning
from nas.compress import compress
from nas.lowering import lower, lower_all_channels, snapped
from nas.mask import Schedule
from nas.packed import flash_bytes, ledger, pack
from nas.packed.bits import packed_bytes
from nas.program import Linear
from nas.seeds import seeded
from tests.compressors.sharing_networks import IMAGES, network, noise, train


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
