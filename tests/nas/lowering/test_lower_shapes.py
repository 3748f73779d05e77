import pytest
import torch
from torch import Tensor, nn

from compressors.quantization import Quantization, quantize
from compressors.sharing import share
from compressors.sparsity import WeightPruning
from nas.evaluation.coded_size import expected_parts
from nas.lowering import lower_all_channels, lower_shapes
from nas.measure import costs
from nas.quantize import UnsupportedError

IMAGES = torch.rand(4, 2, 8, 8, generator=torch.Generator().manual_seed(0))


class Again(nn.Module):
    """Calls a convolution twice, the second time behind a normalization that turns signs."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm, self.head = nn.Conv2d(2, 2, 1), nn.BatchNorm2d(2), nn.Linear(128, 3)
        nn.init.constant_(self.norm.weight, -1.0)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.norm(self.conv(self.conv(x))).flatten(1))
        return logits


def network() -> nn.Module:
    torch.manual_seed(0)
    layers = nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(144, 3)
    return nn.Sequential(*layers).eval()


@pytest.mark.parametrize(
    "model",
    [
        network(),
        quantize(network(), {"0": 1, "4": 3}, IMAGES),
        quantize(network(), 4, IMAGES, Quantization(weights="affine")),
        quantize(share(network(), 16), 6, IMAGES),
        quantize(WeightPruning().apply(network(), {"4": 0.5}, IMAGES), 4, IMAGES),
        quantize(Again().eval(), 5, IMAGES),
    ],
    ids=["float", "bits", "affine", "shared", "masked", "again"],
)
def test_shapes_cost_what_weights_cost(model: nn.Module) -> None:
    whole, shapes = lower_all_channels(model, IMAGES), lower_shapes(model, IMAGES)
    found = costs(model, shapes)
    assert found == costs(model, whole)
    assert expected_parts(shapes, found["flash_bytes"]) == expected_parts(whole)
    assert [each.shape for each in shapes.tensors] == [each.shape for each in whole.tensors]


def test_refused_is_what_lowering_refuses() -> None:
    masked = WeightPruning().apply(network(), {"4": 0.5}, IMAGES)
    binary = quantize(masked, 1, IMAGES)
    for lowers in (lower_all_channels, lower_shapes):
        with pytest.raises(UnsupportedError, match="at least 2 bits"):
            lowers(binary, IMAGES)
