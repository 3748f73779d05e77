import pytest
from torch import nn

from benchmarks.deep_compression import Case, deep_compression, lenet_5, lenet_300_100
from nas.data import Task
from nas.packed import unpack
from nas.seeds import seeded
from nas.training.recipe import Recipe


def test_the_networks_are_the_published_ones() -> None:
    for make, count in ((lenet_300_100, 266_610), (lenet_5, 431_080)):
        with seeded(0):
            case = make()
        assert sum(parameter.numel() for parameter in case.network.parameters()) == count
        layers = {
            name
            for name, layer in case.network.named_modules()
            if isinstance(layer, (nn.Conv2d, nn.Linear))
        }
        assert {
            name.removesuffix(".sparsity") for name in case.design if name.endswith(".sparsity")
        } == layers


def test_what_is_left_is_shared_and_the_file_is_what_is_told(tiny_task: Task) -> None:
    with seeded(0):
        network = nn.Sequential(nn.Flatten(), nn.Linear(16, 200), nn.ReLU(), nn.Linear(200, 3))
    case = Case(network, {"1.sparsity": 0.9, "3.sparsity": 0.8, "codebook_size": 8, "bits": 8})
    recipe = Recipe(epochs=8, finetune_epochs=0, batch_size=10, lr=0.02, finetune_lr=0.02)
    found = deep_compression(case, tiny_task, recipe, prune_epochs=8, share_epochs=4, seed=0)
    assert found.weight_bytes == 4 * (16 * 200 + 200 + 200 * 3 + 3)
    assert found.left == pytest.approx((320 + 120) / 3800)
    assert found.times == found.weight_bytes / len(found.packed) > 4
    assert unpack(found.packed).tensors[-1].shape == (3,)
    assert found.compressed > 0.8
    assert found.dense > 0.8
