import numpy as np
import pytest
import torch

from compressors.quantization import Quantization
from compressors.schedules import cubic, linear, one_shot
from compressors.sparsity import (
    WeightPruning,
    sparsify,
    sparsities,
)
from nas.data import Task
from nas.lowering import lower_all_channels, snapped
from nas.mask import Schedule
from nas.measure import costs
from nas.packed import pack, unpack
from nas.program import Layer
from nas.quantize.weight_quantizers import WeightMethod
from tests.compressors.sparsity_networks import IMAGES, network, train, weights


@pytest.mark.parametrize("schedule", [one_shot, linear, cubic, lambda progress: 0.5 * progress])
@pytest.mark.parametrize("setting", [0.75, "1:4"])
@pytest.mark.parametrize("method", ["max", "affine"])
def test_masks_stay_through_quantized_training_and_into_the_file(
    schedule: Schedule, setting: float | str, method: WeightMethod, tiny_task: Task
) -> None:
    model = WeightPruning(schedule=schedule).apply(
        network(), {"b": setting, "head": setting}, IMAGES
    )
    quantized = Quantization(weights=method).apply(model, {"": 4}, IMAGES)
    counted = costs(quantized, lower_all_channels(quantized, IMAGES))
    before = weights(quantized, "b").clone()
    train(quantized, tiny_task)
    assert sparsities(quantized) == {"a": 0.0, "b": 0.75, "head": 0.75}
    assert not torch.equal(before[before != 0], weights(quantized, "b")[before != 0])
    program = lower_all_channels(snapped(quantized), IMAGES)
    packed = pack(program)
    layers = [operation for operation in unpack(packed).operations if isinstance(operation, Layer)]
    assert [operation.weights.size for operation in layers] == [72, 64, 96]
    assert np.count_nonzero(layers[1].weights.values == 0) >= 48
    assert np.count_nonzero(layers[2].weights.values == 0) >= 72
    for name, operation in zip(("b", "head"), layers[1:], strict=True):
        assert not operation.weights.levels[(weights(quantized, name) == 0).numpy()].any()
    assert costs(quantized, program) == counted
    assert len(packed) <= counted["flash_bytes"]


def test_masks_stay_without_quantizers(tiny_task: Task) -> None:
    model = sparsify(network(), 0.75, IMAGES, schedule=cubic)
    assert set(sparsities(model).values()) == {0.0}
    train(model, tiny_task)
    assert set(sparsities(model).values()) == {0.75}


def test_a_gradual_removal_without_training_is_done_at_the_end_of_none(tiny_task: Task) -> None:
    model = sparsify(network(), 0.75, IMAGES, schedule=cubic)
    train(model, tiny_task, epochs=0)
    assert set(sparsities(model).values()) == {0.75}
