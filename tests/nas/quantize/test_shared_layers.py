import torch
from torch import nn

from nas.quantize import Codebook, SharedConv2d, SharedLinear, dense, quantized_layer, shared_layer


def test_shared_weights_are_in_channels_last_format() -> None:
    for shape in ((8, 1, 3, 3), (8, 4, 3, 3)):
        codebook = Codebook(torch.tensor([0.0, 1.0]), torch.ones(shape, dtype=torch.int64), 8)
        assert codebook().stride() == torch.empty(shape, memory_format=torch.channels_last).stride()
        assert torch.allclose(codebook(), torch.tensor(127 / 127.499))


def test_values_are_rounded_with_one_scale_and_get_the_gradients_of_their_weights() -> None:
    codebook = Codebook(
        torch.tensor([0.0, -0.5, 1.0, 0.3]), torch.tensor([[0, 1, 2], [3, 3, 1]]), 3
    )
    scale = 1.0 / 3.499
    expected = scale * torch.tensor([[0.0, -2.0, 3.0], [1.0, 1.0, -2.0]])
    weights = codebook()
    assert torch.allclose(weights, expected)
    (weights * torch.tensor([[1.0, 2.0, 4.0], [8.0, 16.0, 32.0]])).sum().backward()
    assert codebook.values.grad is not None
    # Zero stays zero, and the others get the sums of their weights' gradients.
    assert codebook.values.grad.tolist() == [0.0, 34.0, 4.0, 24.0]
    levels, scales = codebook.levels()
    assert torch.allclose(levels * scales[:, None], weights)
    assert scales.shape == (2,)


def test_values_may_have_affine_levels() -> None:
    codebook = Codebook(
        torch.tensor([0.0, -0.2, 1.0, 0.3]), torch.tensor([[0, 1, 2], [3, 3, 1]]), 3, affine=True
    )
    scale = 1.0 / 6.499
    weights = codebook()
    assert torch.allclose(weights, scale * torch.tensor([[0.0, -1.0, 6.0], [2.0, 2.0, -1.0]]))
    levels, scales = codebook.levels()
    assert torch.allclose(levels * scales[:, None], weights)
    weights.sum().backward()
    assert codebook.values.grad is not None
    assert codebook.values.grad.tolist() == [0.0, 2.0, 1.0, 2.0]
    assert SharedLinear(nn.Linear(3, 2), codebook).affine


def test_a_rescaled_layer_keeps_its_levels() -> None:
    layer = SharedLinear(
        nn.Linear(3, 2),
        Codebook(torch.tensor([0.0, -0.5, 1.0]), torch.tensor([[0, 1, 2], [2, 2, 1]]), 4),
    )
    levels, scales = layer.levels()
    # A channel without weights has no ratio.
    layer.rescale(torch.tensor([1.5, 0.0]))
    assert layer.bits == 4
    assert layer.entries == 3
    assert torch.equal(layer.levels()[0], levels)
    assert torch.allclose(layer.levels()[1], 1.5 * scales)


def test_a_shared_layer_is_of_the_kind_of_the_layer_in_its_place() -> None:
    places = torch.zeros(2, 1, 3, 3, dtype=torch.int64)
    layer = shared_layer(nn.Conv2d(1, 2, 3, stride=2), Codebook(torch.ones(2), places, 8))
    assert isinstance(layer, SharedConv2d)
    assert layer.stride == (2, 2)
    assert list(layer.state_dict()) == [
        "bias",
        "codebook.values",
        "codebook.assignments",
        "codebook.free",
    ]
    plain = dense(layer)
    assert type(plain) is nn.Conv2d
    assert torch.equal(plain.weight, torch.ones(2, 1, 3, 3))


def test_quantizing_a_shared_layer_sets_the_bits_of_its_codebook() -> None:
    codebook = Codebook(torch.tensor([0.0, -0.5, 1.0]), torch.tensor([[0, 1, 2]]), 8)
    layer = SharedLinear(nn.Linear(3, 1), codebook)
    assert quantized_layer(layer, 3, "affine") is layer
    assert (layer.bits, layer.affine) == (3, True)
