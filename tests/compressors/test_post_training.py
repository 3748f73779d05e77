import copy

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from compressors.post_training import PostTraining, quantize_dynamic, quantize_trained
from compressors.quantization import Quantization, quantize
from compressors.sharing import Sharing
from compressors.sparsity import WeightPruning, sparsify, sparsities
from nas.compress import compress
from nas.data import digits
from nas.lowering import lower, lower_all_channels, snapped
from nas.packed import flash_bytes, pack, unpack
from nas.program import Layer, logits
from nas.quantize import UnsupportedError, correct_biases, equalized
from nas.quantize.weight_quantizers import WeightMethod
from nas.seeds import generator, seeded
from nas.space import Choice, Choices, Design
from nas.testing.compressor import check_compressor
from nas.training.fit import accuracy, cross_entropy, fit
from nas.training.recipe import Recipe

TASK = digits(generator(0, "digits"))


@pytest.fixture(scope="module")
def trained() -> nn.Module:
    with seeded(0):
        model = nn.Sequential(
            *(nn.Conv2d(1, 12, 3, bias=False), nn.BatchNorm2d(12), nn.ReLU()),
            *(nn.Conv2d(12, 12, 3, groups=12, bias=False), nn.BatchNorm2d(12), nn.ReLU()),
            *(nn.Flatten(), nn.Linear(192, 10)),
        )
    shuffle = torch.Generator().manual_seed(0)
    fit(model, TASK, Recipe(), epochs=4, lr=1e-2, loss=cross_entropy, generator=shuffle)
    return model.eval()


def uneven(model: nn.Module) -> nn.Module:
    """The same function, with channels whose ranges are too different for one scale."""
    factors = torch.logspace(-1.5, 1.5, 12)
    with torch.no_grad():
        norm, depthwise, second = (model.get_submodule(name) for name in "134")
        norm.weight.mul_(factors)  # type: ignore[operator]
        norm.bias.mul_(factors)  # type: ignore[operator]
        depthwise.weight.div_(factors.view(-1, 1, 1, 1))  # type: ignore[operator]
    assert isinstance(second, nn.BatchNorm2d)
    return model


@pytest.mark.parametrize("weights", ["max", "affine"])
def test_equalizing_and_correcting_help_where_one_scale_does_not(
    trained: nn.Module, weights: WeightMethod
) -> None:
    model = uneven(copy.deepcopy(trained))
    assert accuracy(model, TASK.validation) == pytest.approx(
        accuracy(trained, TASK.validation), abs=0.01
    )
    method = Quantization(weights=weights, weight_scales="tensor", activations="fixed")
    examples = TASK.train.inputs[:256]
    plain = accuracy(quantize(model, 4, examples, method), TASK.validation)
    helped = quantize_trained(model, 4, examples, method)
    assert accuracy(helped, TASK.validation) > plain + 0.1
    said = logits(unpack(pack(lower(helped, examples))), TASK.validation.inputs).argmax(1)
    assert (torch.from_numpy(said) == TASK.validation.labels).double().mean().item() > plain + 0.1


@pytest.mark.parametrize("weights", ["max", "affine"])
def test_pruned_weights_stay_zero_and_are_counted_so(
    trained: nn.Module, weights: WeightMethod
) -> None:
    examples = TASK.train.inputs[:256]
    method = Quantization(weights=weights)
    dense = lower_all_channels(quantize_trained(trained, 4, examples, method), examples)
    small = quantize_trained(sparsify(trained, 0.75, examples), 4, examples, method)
    program = lower_all_channels(small, examples)
    layers = [operation for operation in program.operations if isinstance(operation, Layer)]
    for layer in layers:
        kept = layer.weights.kept
        assert kept is not None
        assert kept.mean() == 0.25
        assert not layer.weights.levels[~kept].any()
    assert len(pack(program)) <= flash_bytes(program) < 0.75 * flash_bytes(dense)
    # They stay zero in training after quantization.
    shuffle = torch.Generator().manual_seed(0)
    fit(small, TASK, Recipe(), epochs=1, lr=1e-3, loss=cross_entropy, generator=shuffle)
    assert set(sparsities(small).values()) == {0.75}


def test_the_given_network_is_left_alone(trained: nn.Module) -> None:
    before = {name: tensor.clone() for name, tensor in trained.state_dict().items()}
    quantize_trained(trained, 4, TASK.train.inputs[:32])
    quantize_dynamic(trained, 4)
    quantize(trained, 4, TASK.train.inputs[:32])
    assert all(torch.equal(before[name], tensor) for name, tensor in trained.state_dict().items())


def test_dynamic_ranges_need_no_calibration_and_have_no_program(trained: nn.Module) -> None:
    def error(inputs: Tensor, bits: int) -> float:
        expected = trained(inputs)
        return float(
            (
                (quantize_dynamic(trained, 8, bits)(inputs) - expected).norm() / expected.norm()
            ).detach()
        )

    for inputs in (TASK.validation.inputs, 50.0 * TASK.validation.inputs):
        assert error(inputs, 8) < 0.05
        assert error(inputs, 2) > 0.1
    with pytest.raises(
        UnsupportedError,
        match="scales must be constants of an integer program, but those of dynamic quantizers",
    ):
        lower(quantize_dynamic(trained, 8), TASK.train.inputs[:32])


def test_bits_that_do_not_exist_are_refused(trained: nn.Module) -> None:
    with pytest.raises(ValueError, match=r"bits must be one of \(1, .* but got 9"):
        quantize_dynamic(trained, 9)
    with pytest.raises(ValueError, match=r"bits must be one of \(2, .* but got 1 at 'activations'"):
        quantize_dynamic(trained, 8, 1)


class Networks:
    """A network with normalization to fold: after a convolution, a depthwise one, and in a residual block."""

    choices = Choices(
        [
            Choice("", "bits", (3, 8)),
            Choice("head", "bits", (1, 2, 8)),
            Choice("body", "bits", (4, 8)),
        ]
    )

    def build(self, design: Design, example: Tensor, classes: int) -> nn.Module:
        model = nn.Sequential()
        body = nn.Sequential(
            nn.Conv2d(6, 6, 3, padding=1, groups=6, bias=False), nn.BatchNorm2d(6), nn.ReLU()
        )
        stem = nn.Sequential(nn.Conv2d(example.shape[1], 6, 3), nn.BatchNorm2d(6), nn.ReLU())
        for name, layer in {
            "stem": stem,
            "body": body,
            "flatten": nn.Flatten(),
            "head": nn.Linear(6 * 36, classes),
        }.items():
            model.add_module(name, layer)
        return model


@pytest.mark.parametrize(
    "method",
    [
        Quantization(),
        Quantization(weight_scales="tensor", activations="fixed", ranges="percentile"),
    ],
)
def test_the_compressor_keeps_its_contract(method: Quantization) -> None:
    check_compressor(
        PostTraining(method), Networks(), TASK.train.inputs[:8], 10, np.random.default_rng(0)
    )


def test_the_compressor_and_the_function_fold_equalize_quantize_and_correct(
    trained: nn.Module,
) -> None:
    examples, method = (
        TASK.train.inputs[:64],
        Quantization(weight_scales="tensor", activations="fixed"),
    )
    bits = {"": 4, "7": 3}
    floating = equalized(trained)
    expected = quantize(floating, bits, examples, method)
    uncorrected = expected(examples)
    correct_biases(expected, floating, examples)
    searched = compress(trained, {"bits": 4, "7.bits": 3}, [PostTraining(method)], examples)
    for model in (searched, quantize_trained(trained, bits, examples, method)):
        assert torch.equal(model(examples), expected(examples))
        assert not torch.equal(model(examples), uncorrected)


def test_pruned_weights_stay_zero_when_normalization_is_folded_into_them(
    trained: nn.Module,
) -> None:
    design = {"0.sparsity": 0.5, "7.sparsity": 0.75, "bits": 4}
    model = compress(trained, design, [WeightPruning(), PostTraining()], TASK.train.inputs[:64])
    assert sparsities(model) == {"0": 0.5, "3": 0.0, "7": 0.75}
    shuffle = torch.Generator().manual_seed(0)
    fit(model, TASK, Recipe(), epochs=1, lr=1e-2, loss=cross_entropy, generator=shuffle)
    assert sparsities(model) == {"0": 0.5, "3": 0.0, "7": 0.75}
    snapped(model)
    assert len(pack(lower(model, TASK.train.inputs[:64]))) <= flash_bytes(
        lower_all_channels(model, TASK.train.inputs[:64])
    )


def test_weights_are_shared_after_folding_and_not_before(trained: nn.Module) -> None:
    shared = compress(
        trained,
        {"7.codebook_size": 4, "bits": 8},
        [PostTraining(), Sharing()],
        TASK.train.inputs[:64],
    )
    assert len(shared.get_submodule("7").weight.unique()) == 4  # type: ignore[operator]
    assert len(pack(lower(shared, TASK.train.inputs[:64]))) < 1000
    with pytest.raises(
        UnsupportedError, match="must be folded before weights share values, but those of '0' do"
    ):
        compress(
            trained,
            {"codebook_size": 4, "bits": 8},
            [Sharing(), PostTraining()],
            TASK.train.inputs[:8],
        )
