import onnx
import pytest
import torch
from torch import Tensor, fx, nn
from torch.nn import functional

from nas.measure.host import run_onnx
from nas.onnx import float_to_onnx
from nas.onnx.float_call import FloatCall
from nas.onnx.graph import Graph
from nas.onnx.moves import float_move
from nas.quantize import UnsupportedError

INPUTS = torch.rand(16, 1, 8, 8, generator=torch.Generator().manual_seed(0))


def slopes(channels: int) -> nn.PReLU:
    """A PReLU with slopes of both signs."""
    made = nn.PReLU(channels)
    with torch.no_grad():
        made.weight.copy_(torch.linspace(-0.5, 1.5, channels))
    return made


class Everything(nn.Module):
    """Every module that has an integer form, and the functions that stand for one."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(1, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8)
        self.strided = nn.Conv2d(8, 8, (3, 5), (2, 2), (2, 4), (2, 2), groups=4)
        self.unary = nn.ModuleList(
            [
                nn.ReLU(),
                nn.ReLU6(),
                nn.Sigmoid(),
                nn.Tanh(),
                nn.Hardswish(),
                nn.Hardsigmoid(),
                nn.SiLU(),
            ]
        )
        self.unary.extend([nn.GELU(), nn.ELU(0.5), nn.LeakyReLU(0.1), nn.Hardtanh(-0.2, 0.3)])
        self.unary.extend([nn.PReLU(), slopes(8)])
        self.largest, self.mean = nn.MaxPool2d(3, 2, 1), nn.AvgPool2d((2, 4), 2, (0, 1))
        self.larger, self.halves, self.all = (
            nn.UpsamplingNearest2d(scale_factor=2),
            nn.AdaptiveAvgPool2d(2),
            nn.AdaptiveAvgPool2d(1),
        )
        self.pad = nn.ZeroPad2d((2, 1, 1, 0))
        self.gate, self.drop, self.same = nn.Conv2d(16, 16, 1), nn.Dropout(), nn.Identity()
        self.slopes = slopes(12)
        self.hidden, self.flat_norm, self.head = (
            nn.Linear(64, 12),
            nn.BatchNorm1d(12),
            nn.Linear(12, 10),
        )

    def forward(self, x: Tensor) -> Tensor:
        x = functional.relu6(self.norm(self.conv(x)))
        y = self.strided(x)
        for function in self.unary:
            y = y + function(y)
        for call in (
            functional.hardswish,
            functional.hardsigmoid,
            functional.silu,
            functional.gelu,
            torch.tanh,
        ):
            y = y + call(y)
        y = self.mean(self.pad(functional.pad(y, (0, 1, 0, 3))))
        y = torch.cat([self.largest(x) + y, self.mean(x)], 1).relu()
        y = y * torch.sigmoid(self.gate(self.all(y)))
        y = self.halves(
            self.larger(y) + functional.adaptive_avg_pool2d(self.larger(self.larger(y)), 8)
        )
        y = self.drop(self.same(torch.relu(self.flat_norm(self.hidden(torch.flatten(y, 1))))))
        return self.head(y + self.slopes(y))  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def everything() -> nn.Module:
    torch.manual_seed(0)
    model = Everything().train()
    with torch.no_grad():
        model(3 * INPUTS)  # statistics other than the first ones
        for norm in (model.norm, model.flat_norm):
            norm.weight.uniform_(-1, 2)
            norm.bias.uniform_(-1, 1)
    return model.eval()


def test_everything_gives_the_same_logits(everything: nn.Module) -> None:
    model = float_to_onnx(everything, INPUTS)
    onnx.checker.check_model(model, full_check=True)
    with torch.no_grad():
        torch.testing.assert_close(
            torch.from_numpy(run_onnx(model, INPUTS.numpy())),
            everything(INPUTS),
            rtol=1e-4,
            atol=1e-4,
        )
    kinds = {node.op_type for node in model.graph.node}
    assert "BatchNormalization" not in kinds
    assert "QuantizeLinear" not in kinds


@pytest.mark.parametrize("margins", [(0, 1, 0, 1), (1, 1, 1, 1), (3, 0, 0, 5)])
@pytest.mark.parametrize(
    "reader", [nn.MaxPool2d(2, 1), nn.AvgPool2d(3, 1, 1), nn.Conv2d(1, 2, 2)], ids=repr
)
def test_margins_count_as_zeros(reader: nn.Module, margins: tuple[int, int, int, int]) -> None:
    model = nn.Sequential(nn.ZeroPad2d(margins), reader, nn.Flatten()).eval()
    images = INPUTS - 1  # so that 0 is the largest
    with torch.no_grad():
        said, expected = run_onnx(float_to_onnx(model, images), images.numpy()), model(images)
    torch.testing.assert_close(torch.from_numpy(said), expected, rtol=1e-5, atol=1e-5)


def test_equal_networks_give_equal_bytes_and_stay_as_they_are(everything: nn.Module) -> None:
    everything.train()
    before = {name: tensor.clone() for name, tensor in everything.state_dict().items()}
    stored = float_to_onnx(everything, INPUTS).SerializeToString()
    assert stored == float_to_onnx(everything, INPUTS[:1]).SerializeToString()
    assert everything.training
    for name, tensor in everything.state_dict().items():
        assert torch.equal(tensor, before[name])
    everything.eval()


class Calls(nn.Module):
    def __init__(self, call: object) -> None:
        super().__init__()
        self.call, self.head = call, nn.LazyLinear(3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(torch.flatten(self.call(x), 1))  # type: ignore[operator, no-any-return]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: torch.add(x, x, alpha=2), "must read tensors that the network computes, but"),
        (lambda x: torch.cat([x, x], 2), "must join channels, dim=1, but"),
        (lambda x: functional.gelu(x, approximate="tanh"), "must have no further arguments, but"),
        (nn.GELU("tanh"), "must be a function with a plain ONNX form, but is GELU"),
        (
            nn.AdaptiveAvgPool2d(3),
            r"must pool windows of one size, but \(8, 8\) is no multiple of \(3, 3\)",
        ),
        (
            nn.UpsamplingNearest2d(scale_factor=(2, 3)),
            "'call' must enlarge by a whole scale_factor, mode 'nearest', but is UpsamplingNearest2d",
        ),
        (
            nn.Conv2d(1, 2, 3, padding=1, padding_mode="reflect"),
            "must pad with zeros, but has 'reflect'",
        ),
        (
            lambda x: functional.pad(x, (1, -1, 0, 0)),  # which keeps the shape
            r"'pad' must pad by 0 or more, \(left, right, top, bottom\), but by \(1, -1, 0, 0\)",
        ),
        (
            lambda x: functional.pad(x, (1, 0, 0, 0), value=1.0),
            "'pad' must pad with zeros, mode 'constant' and value 0, but has 'constant', 1.0",
        ),
        (
            nn.Softmax(1),
            "must have an integer form, but .* is a Softmax.*; use one at the very end",
        ),
    ],
)
def test_what_has_no_form_is_refused(call: object, message: str) -> None:
    model = Calls(call)
    with torch.no_grad():
        model(INPUTS)
    with pytest.raises(UnsupportedError, match=message):
        float_to_onnx(model, INPUTS)


def test_a_move_that_is_not_known_is_refused() -> None:
    node = fx.Graph().placeholder("shuffle")
    call = FloatCall(node, nn.PixelShuffle(2), ["x"], [(1, 4, 2, 2)])
    with pytest.raises(
        UnsupportedError, match=r"must be a move with an ONNX form, but is PixelShuffle.*Identity, "
    ):
        float_move(Graph(), call)
