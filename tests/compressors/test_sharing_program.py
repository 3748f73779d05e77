from typing import Any

import numpy as np
import pytest
import torch

from compressors.quantization import Quantization
from compressors.sharing import Sharing, share
from nas.compress import Compressor, compress
from nas.lowering import lower, lower_all_channels, snapped
from nas.packed import flash_bytes, pack, unpack
from nas.program import Layer, logits
from nas.quantize.weight_quantizers import WeightMethod
from tests.compressors.sharing_networks import IMAGES, network, noise, train


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
