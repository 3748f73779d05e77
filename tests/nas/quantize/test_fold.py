import torch
from torch import Tensor, nn

from nas.mask import WeightMask, mask_of
from nas.quantize import folded
from nas.seeds import seeded


def normed() -> nn.Sequential:
    """A network with every kind of layer that normalization follows, in states that training
    leaves.
    """
    with seeded(0):
        model = nn.Sequential(
            *(nn.Conv2d(2, 6, 3, bias=False), nn.BatchNorm2d(6), nn.ReLU()),
            *(
                nn.Conv2d(6, 6, 3, groups=6),
                nn.BatchNorm2d(6),
                nn.ReLU(),
                nn.MaxPool2d(2),
                nn.Flatten(),
            ),
            *(nn.Linear(6, 5), nn.BatchNorm1d(5, affine=False), nn.Linear(5, 3)),
        )
        for module in model.modules():
            if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
                assert module.running_mean is not None
                assert module.running_var is not None
                module.running_mean.normal_()
                module.running_var.uniform_(0.3, 3.0)
                if module.affine:
                    nn.init.normal_(module.weight)
                    nn.init.normal_(module.bias)
    return model


def noise(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def test_outputs_are_unchanged_without_normalization() -> None:
    model = normed()
    traced = folded(model)
    assert torch.allclose(traced(noise(8, 2, 6, 6)), model.eval()(noise(8, 2, 6, 6)), atol=1e-5)
    assert not any(
        isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)) for module in traced.modules()
    )
    assert [
        name
        for name, module in traced.named_modules()
        if isinstance(module, (nn.Conv2d, nn.Linear))
    ] == ["0", "3", "8", "10"]


def test_the_folded_network_is_a_copy() -> None:
    model = normed()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    folded(model)
    assert model.training
    assert isinstance(model[1], nn.BatchNorm2d)
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


def test_masks_follow_the_folded_weights() -> None:
    model = normed()
    names = ("0", "3", "8")
    for name in names:
        layer = model.get_submodule(name)
        assert isinstance(layer.weight, nn.Parameter)
        layer.add_module(
            "mask",
            WeightMask(
                layer.weight,
                noise(*layer.weight.shape),
                layer.weight.numel() // 2,
                None,
                lambda _: 1.0,
            ),
        )
    traced = folded(model)
    assert torch.allclose(traced(noise(8, 2, 6, 6)), model.eval()(noise(8, 2, 6, 6)), atol=1e-5)
    for name in names:
        layer, mask = traced.get_submodule(name), mask_of(traced.get_submodule(name))
        assert mask is not None
        assert isinstance(layer.weight, nn.Parameter)
        assert torch.equal(layer.weight != 0, mask.kept)
        assert mask.kept.sum() == layer.weight.numel() // 2
        with torch.no_grad():
            layer.weight.add_(1.0)  # as a step of training would
        mask.after_step(0.5)
        assert torch.equal(layer.weight != 0, mask.kept)


def test_a_normalization_without_a_layer_of_its_own_stays() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.mix, self.a, self.b = nn.Linear(3, 3), nn.BatchNorm1d(3), nn.BatchNorm1d(3)

        def forward(self, x: Tensor) -> Tensor:
            y: Tensor = self.b(self.mix(self.a(self.mix(x))))
            return y

    inputs = torch.randn(8, 3, generator=torch.Generator().manual_seed(0))
    for model in (Twice(), nn.Sequential(nn.Linear(3, 3), nn.ReLU(), nn.BatchNorm1d(3))):
        found = folded(model.train())
        with torch.no_grad():
            torch.testing.assert_close(found(inputs), model.eval()(inputs))
        kinds = [type(module) for module in found.modules()]
        assert nn.BatchNorm1d in kinds
