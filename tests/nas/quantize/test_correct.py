import copy

import pytest
import torch
from torch import Tensor, nn

from compressors.quantization import Quantization, quantize
from nas.quantize import correct_biases, equalized
from nas.seeds import seeded


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def network(norm: bool, affine: bool = True, bias: bool = True) -> nn.Module:
    with seeded(0):
        norms = [nn.BatchNorm2d(8, affine=affine) if norm else nn.Identity() for _ in range(2)]
        convolutions = nn.Conv2d(2, 8, 3, bias=bias), nn.Conv2d(8, 8, 3, bias=bias)
        model = nn.Sequential(
            convolutions[0],
            norms[0],
            nn.ReLU(),
            convolutions[1],
            norms[1],
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(32, 4, bias=bias),
        )
        for _ in range(30):  # running statistics
            model(noise(64, 2, 6, 6, seed=5) + 0.5)
    return model.eval()


INPUTS = noise(256, 2, 6, 6, seed=1) + 0.5


@pytest.mark.parametrize(
    ("norm", "affine", "bias"),
    [(False, True, True), (False, True, False), (True, True, False), (True, False, True)],
)
def test_output_means_become_those_of_the_float_network(
    norm: bool, affine: bool, bias: bool
) -> None:
    model = network(norm, affine, bias)
    quantized = quantize(model, 2, INPUTS, Quantization(activations="fixed"))
    expected = model(INPUTS).detach()
    before = (quantized(INPUTS) - expected).detach()
    correct_biases(quantized, copy.deepcopy(model), INPUTS)
    after = (quantized(INPUTS) - expected).detach()
    assert before.mean(0).norm() > 0.02
    # The last rounding is behind what was corrected.
    assert after.mean(0).norm() < 0.2 * before.mean(0).norm()
    assert after.norm() < before.norm()
    fresh = noise(256, 2, 6, 6, seed=2) + 0.5
    assert (quantized(fresh) - model(fresh)).mean(0).norm() < 0.3 * before.mean(0).norm()


@pytest.mark.parametrize("affine", [True, False])
def test_means_after_normalization_are_corrected(affine: bool) -> None:
    model = network(norm=True, affine=affine, bias=True)
    quantized = quantize(model, 2, INPUTS, Quantization(activations="fixed"))
    means = dict[str, Tensor]()
    for name, network_ in (("wanted", model), ("found", quantized)):
        hook = network_.get_submodule("4").register_forward_hook(
            lambda _, __, output, name=name: means.update({name: output.mean((0, 2, 3))})
        )
        correct_biases(quantized, copy.deepcopy(model), INPUTS)
        network_(INPUTS)
        hook.remove()
    assert torch.allclose(means["found"], means["wanted"], atol=1e-4)


def test_the_float_network_is_unchanged() -> None:
    model = network(norm=True)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    correct_biases(quantize(model, 2, INPUTS), model, INPUTS)
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert not any(module._forward_hooks for module in model.modules())


def test_a_network_without_the_layers_is_refused() -> None:
    model = network(norm=True)
    quantized = quantize(model, 4, INPUTS)
    with pytest.raises(
        ValueError, match=r"must have the layers of the quantized one, but lacks \['1', '4'\]"
    ):
        correct_biases(quantized, equalized(model), INPUTS)
    with pytest.raises(
        ValueError, match=r"must be traced by insert_quantizers\(\), but got a Sequential"
    ):
        correct_biases(model, model, INPUTS)
