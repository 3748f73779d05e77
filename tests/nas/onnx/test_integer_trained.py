import numpy as np
import pytest
import torch
from torch import nn

from nas.data import Task, digits
from nas.lowering import lower
from nas.measure.host import run_onnx
from nas.onnx import to_onnx
from nas.program.interpreter import logits
from nas.program.program import Program
from nas.quantize import calibrate, insert_quantizers, quantized_layer
from nas.quantize.weight_levels import Granularity
from nas.quantize.weight_quantizers import WeightMethod
from nas.seeds import generator, seeded
from nas.training.fit import cross_entropy, fit
from nas.training.recipe import Recipe


class Network(nn.Module):
    """Convolutions, depthwise too, a residual sum, a gate and two clamps."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU()
        )
        self.depthwise = nn.Sequential(
            nn.Conv2d(8, 8, 3, padding=1, groups=8, bias=False), nn.BatchNorm2d(8), nn.ReLU6()
        )
        self.pointwise = nn.Sequential(nn.Conv2d(8, 8, 1, bias=False), nn.BatchNorm2d(8))
        self.gate = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(8, 8, 1), nn.Sigmoid())
        self.last = nn.Sequential(
            nn.Conv2d(8, 16, 3, 2, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()
        )
        self.head = nn.Linear(16, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        y = self.pointwise(self.depthwise(x))
        y = y * self.gate(y)
        return self.head(self.last(x + y))  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def task() -> Task:
    return digits(generator(0, "digits"))


def trained(
    task: Task, bits: int, weight_bits: tuple[int, ...], method: WeightMethod, scales: Granularity
) -> Program:
    """The program of a network after a little training, with layers of these bits in turn."""
    with seeded(0):
        model: nn.Module = Network()
        layers = [
            (name, layer)
            for name, layer in model.named_modules()
            if isinstance(layer, (nn.Conv2d, nn.Linear))
        ]
        for index, (name, layer) in enumerate(layers):
            wide = weight_bits[index % len(weight_bits)]
            model.set_submodule(name, quantized_layer(layer, wide, method, scales))
        model = insert_quantizers(model, bits)
        calibrate(model, task.train.inputs[:64])
        shuffle = torch.Generator().manual_seed(0)
        fit(model, task, Recipe(), epochs=6, lr=0.01, loss=cross_entropy, generator=shuffle)
    return lower(model, task.train.inputs[:64])


@pytest.mark.parametrize(
    ("bits", "weight_bits", "method", "scales"),
    [
        (8, (8,), "max", "channel"),
        (8, (2, 4, 3, 6), "max", "channel"),
        (4, (4, 8, 2), "max", "channel"),
        (8, (2, 4, 3, 7), "affine", "channel"),
        (8, (8,), "affine", "tensor"),
        (8, (2, 3), "affine_mse", "channel"),
    ],
)
def test_trained_networks_choose_the_same_class(
    task: Task, bits: int, weight_bits: tuple[int, ...], method: WeightMethod, scales: Granularity
) -> None:
    program = trained(task, bits, weight_bits, method, scales)
    inputs = torch.cat([task.train.inputs, task.validation.inputs, task.test.inputs])
    wanted = logits(program, inputs)
    np.testing.assert_array_equal(run_onnx(to_onnx(program), inputs.numpy(), saturate=True), wanted)
    found = run_onnx(to_onnx(program, fused=True), inputs.numpy())
    right = (
        wanted.argmax(1)
        == torch.cat([task.train.labels, task.validation.labels, task.test.labels]).numpy()
    ).mean()
    assert right > 0.4  # well above chance
    assert (wanted.argmax(1) == found.argmax(1)).mean() >= 0.995
