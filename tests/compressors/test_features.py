from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from compressors.features import (
    FeatureCriterion,
    FeatureSelection,
    l1,
    mutual_information,
    ranked,
    tree_importance,
)
from compressors.pruning import ChannelPruning
from compressors.quantization import Quantization
from nas.compress import compress
from nas.data import Split, breast_cancer
from nas.lowering import lower, snapped
from nas.measure.host import run_onnx
from nas.onnx import float_to_onnx, to_onnx
from nas.packed import pack, unpack
from nas.program import Interpreter
from nas.program.operations import Gather
from nas.seeds import generator, seeded
from nas.space import Design
from nas.testing.compressor import check_compressor
from nas.testing.space import check_space
from search_spaces.mlp import Mlp

SPACE = Mlp(layers=2, widths=(4, 8), ratios=(0.0, 0.5), bits=(4, 8), features=(1, 3, 6))
ORDER = (4, 1, 5, 0, 3, 2)
TABLE = torch.randn(40, 6, generator=torch.Generator().manual_seed(0))


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("criterion", [mutual_information, l1, tree_importance])
def test_informative_features_come_first(criterion: FeatureCriterion) -> None:
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randn(300, 8, generator=generator)
    # Feature 5 is the class with a little noise, feature 2 with much; the others are noise alone.
    labels = (
        inputs[:, 5] + 0.5 * inputs[:, 2] + 0.1 * torch.randn(300, generator=generator) > 0
    ).long()
    assert ranked(Split(inputs, labels), criterion, rng())[:2] == (5, 2)


def test_randomness_follows_from_the_seed() -> None:
    split = breast_cancer(generator(0, "breast_cancer")).train
    first, again, other = (ranked(split, tree_importance, rng(seed)) for seed in (0, 0, 1))
    assert first == again
    assert first != other
    assert sorted(first) == list(range(30))


def test_the_smaller_layer_keeps_the_weights_of_its_features() -> None:
    layer = nn.Linear(6, 3)
    with torch.no_grad():
        layer.weight[:, [0, 3, 2]] = 0
    expected = layer(TABLE)
    model = FeatureSelection(ORDER).apply(nn.Sequential(nn.Flatten(), layer), {"1": 3}, TABLE)
    assert torch.allclose(model(TABLE), expected, atol=1e-6)
    assert model.get_buffer("1.0.indices").tolist() == [1, 4, 5]
    assert model.get_parameter("1.1.weight").shape == (3, 3)


def test_all_features_change_nothing() -> None:
    model = nn.Sequential(nn.Linear(6, 3))
    assert FeatureSelection(ORDER).apply(model, {"0": 6}, TABLE).get_submodule("0") is model[0]
    assert isinstance(model[0], nn.Linear)


def test_the_file_gathers_the_features_that_are_read() -> None:
    design = {
        "hidden0.features": 3,
        "hidden0.width": 8,
        "hidden0.prune": 0.5,
        "hidden0.bits": 4,
        "depth": 1,
        "head.bits": 8,
    }
    with seeded(0):
        model = SPACE.build(Design(design), TABLE, 3)
    squeezed = compress(
        model, design, (ChannelPruning(), FeatureSelection(ORDER), Quantization()), TABLE
    )
    program = unpack(pack(lower(snapped(squeezed), TABLE)))
    gather = program.operations[0]
    assert isinstance(gather, Gather)
    assert gather.indices.tolist() == [1, 4, 5]
    assert program.tensors[0].shape == (6,)
    assert program.macs == 3 * 4 + 4 * 3
    with torch.no_grad():
        said = squeezed.eval()(TABLE)
    assert ((Interpreter(program)(TABLE) - said).abs() < 1.01 * program.tensors[-1].scale).all()
    assert (
        run_onnx(to_onnx(program), TABLE.numpy()).argmax(1) == said.argmax(1).numpy()
    ).mean() > 0.9
    changed = TABLE.clone()
    changed[:, [0, 2, 3]] += 100.0
    floating = float_to_onnx(squeezed, TABLE)
    assert np.array_equal(run_onnx(floating, changed.numpy()), run_onnx(floating, TABLE.numpy()))


@pytest.mark.parametrize("count", [0, 7, True, 2.0, "3"])
def test_a_number_of_features_out_of_range_is_refused(count: Any) -> None:
    with pytest.raises(ValueError, match="a number of features must be in 1 … 6, but got"):
        FeatureSelection(ORDER).apply(nn.Sequential(nn.Linear(6, 3)), {"0": count}, TABLE)


def test_a_layer_that_does_not_read_the_features_is_refused() -> None:
    for layer in (nn.Linear(5, 3), nn.Conv2d(6, 3, 1)):
        with pytest.raises(
            ValueError, match="the first layer at '0' must be linear and read 6 features, but is"
        ):
            FeatureSelection(ORDER).apply(nn.Sequential(layer), {"0": 2}, TABLE)


@pytest.mark.parametrize("order", [(), (0, 0), (1, 2)])
def test_an_order_names_every_feature_once(order: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="an order must name each of the features"):
        FeatureSelection(order)


def test_the_space_and_the_compressor_keep_their_contracts() -> None:
    check_compressor(FeatureSelection(ORDER), SPACE, TABLE, 3, rng())
    check_space(
        SPACE,
        TABLE,
        3,
        rng(),
        compressors=(ChannelPruning(), FeatureSelection(ORDER), Quantization()),
    )


def test_the_table_is_standardized_by_its_training_split() -> None:
    task = breast_cancer(rng())
    assert task.train.inputs.shape[1:] == (30,)
    assert sum(len(split.labels) for split in (task.train, task.validation, task.test)) == 569
    assert task.train.inputs.mean(0).abs().max() < 0.1
    assert float(task.train.inputs.std(0).min()) > 0.7
    assert float(task.test.inputs.abs().max()) <= 4.0


@pytest.mark.parametrize("criterion", [mutual_information, tree_importance])
def test_features_of_a_regression_are_ranked(criterion: FeatureCriterion) -> None:
    inputs = torch.rand(200, 4, generator=torch.Generator().manual_seed(0))
    targets = torch.sin(6 * inputs[:, 2])
    assert ranked(Split(inputs, targets), criterion, np.random.default_rng(0))[0] == 2
    both = Split(inputs, torch.stack([targets, targets], 1))
    assert ranked(both, criterion, np.random.default_rng(0))[0] == 2
    with pytest.raises(ValueError, match="labels must be classes for l1"):
        ranked(Split(inputs, targets), l1, np.random.default_rng(0))
