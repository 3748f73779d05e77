from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from compressors.quantization import Quantization
from nas.measure import Operation, Stored, operations, peak_memory
from nas.measure.operations import activation_bytes, stored_bytes

IMAGE, TABLE = torch.ones(2, 1, 5, 5), torch.ones(2, 4)


class Net(nn.Module):
    """Layers by name, and what becomes of an input."""

    def __init__(self, run: Callable[["Net", Tensor], Tensor], **parts: nn.Module | nn.Parameter) -> None:
        super().__init__()
        self.run = run
        for name, part in parts.items():
            setattr(self, name, part)

    def __getitem__(self, name: str) -> Callable[..., Tensor]:
        return self.get_submodule(name)

    def tensor(self, name: str) -> Any:
        return attrgetter(name)(self)

    def forward(self, x: Tensor) -> Tensor:
        return self.run(self, x)


class Coded(nn.Linear):
    """A layer with a codebook, traced as one operation."""

    def stored_bits(self) -> Mapping[str, int]:
        return {"indices": 9, "codebook": 32}

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - the name that torch gives it
        return functional.linear(input, self.weight, self.bias)


def step(output_bytes: int, *inputs: int, in_place: bool = False, macs: int = 0, weight_bytes: int = 0) -> Operation:
    return Operation("step", macs, {"weight": weight_bytes}, output_bytes, inputs, in_place)


@pytest.mark.parametrize(
    ("layer", "inputs", "macs"),
    [
        (nn.Linear(4, 3), TABLE, 4 * 3),
        (nn.Linear(4, 3, bias=False), torch.ones(2, 7, 4), 7 * 4 * 3),
        (nn.Conv2d(1, 2, 3), IMAGE, 2 * 9 * 3 * 3),
        (nn.Conv2d(1, 2, 3, padding=1), IMAGE, 2 * 9 * 5 * 5),
        (nn.Conv2d(1, 2, 3, padding=1, stride=2), IMAGE, 2 * 9 * 3 * 3),
        (nn.Conv2d(1, 2, 3, dilation=2), IMAGE, 2 * 9 * 1 * 1),
        (nn.Conv2d(1, 2, (1, 5)), IMAGE, 2 * 5 * 5 * 1),
        (nn.Conv2d(6, 4, 3, groups=2), torch.ones(2, 6, 5, 5), 4 * 3 * 9 * 3 * 3),
        (nn.Conv2d(6, 6, 3, groups=6, padding=1), torch.ones(2, 6, 5, 5), 6 * 9 * 5 * 5),
        (nn.ReLU(), IMAGE, 0),
        (nn.BatchNorm2d(1), IMAGE, 0),
    ],
)
def test_the_macs_of_one_sample(layer: nn.Module, inputs: Tensor, macs: int) -> None:
    (only,) = operations(layer if isinstance(layer, nn.Sequential) else nn.Sequential(layer), inputs)
    assert only.macs == macs


def test_matrix_products_outside_of_layers_count_too() -> None:
    model = Net(lambda net, x: x @ net.tensor("weight"), weight=nn.Parameter(torch.ones(4, 3)))
    assert [step.macs for step in operations(model, TABLE)] == [12]


def test_a_chain_is_written_down_in_its_order() -> None:
    model = nn.Sequential()
    model.add_module("conv", nn.Conv2d(1, 2, 3))
    model.add_module("tail", nn.Sequential(nn.ReLU(), nn.Flatten(), nn.Linear(18, 3)))
    assert operations(model, IMAGE) == (
        Operation("conv", 162, {"weight": 72, "bias": 8}, 72, (-1,), False),
        Operation("tail.0", 0, {}, 72, (0,), True),
        Operation("tail.1", 0, {}, 72, (1,), True),
        Operation("tail.2", 54, {"weight": 216, "bias": 12}, 12, (2,), False),
    )


def test_branches_are_read_where_they_join() -> None:
    def run(net: Net, x: Tensor) -> Tensor:
        first = net["a"](x)
        return torch.cat([first + net["b"](first), x], 1)

    steps = operations(Net(run, a=nn.Linear(4, 4), b=nn.Linear(4, 4)), TABLE)
    assert [(step.name, step.inputs) for step in steps] == [("a", (-1,)), ("b", (0,)), ("add()", (0, 1)), ("cat()", (2, -1))]


def test_a_function_is_told_from_a_module_of_its_name() -> None:
    steps = operations(Net(lambda net, x: net["add"](x + x), add=nn.Linear(4, 4)), TABLE)
    assert [step.name for step in steps] == ["add()", "add"]


@pytest.mark.parametrize(
    "run",
    [
        lambda net, x: net["a"](x.view(x.size(0), -1)),
        lambda net, x: net["a"](x.reshape(x.shape[0], x.shape[1] * 1)),
        lambda net, x: net["a"](x.flatten(1)),
    ],
)
def test_arithmetic_on_shapes_is_no_operation(run: Callable[[Net, Tensor], Tensor]) -> None:
    steps = operations(Net(run, a=nn.Linear(4, 4)), TABLE)
    assert [(step.inputs, step.in_place) for step in steps] == [((-1,), True), ((0,), False)]


def test_parts_of_a_split_are_read_one_by_one() -> None:
    def run(net: Net, x: Tensor) -> Tensor:
        left, right = x.chunk(2, 1)
        return left * right

    steps = operations(Net(run), TABLE)
    assert [step.inputs for step in steps] == [(-1,), (0,), (0,), (1, 2)]
    assert [step.output_bytes for step in steps] == [0, 8, 8, 8]


def test_batch_normalisation_folds_into_the_layer_before_it() -> None:
    with_bias = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3))
    without = nn.Sequential(nn.Linear(4, 3, bias=False), nn.BatchNorm1d(3))
    quantized = Quantization().apply(nn.Sequential(nn.Linear(4, 3, bias=False), nn.BatchNorm1d(3)), {"0": 4}, TABLE)
    assert [operations(model, TABLE)[1].stored for model in (with_bias, without, quantized)] == [{}, {"bias": 12}, {}]


@pytest.mark.parametrize(
    "run",
    [
        lambda net, x: net["norm"](torch.relu(net["layer"](x))),  # something lies between
        lambda net, x: net["norm"](x),  # nothing lies before
        lambda net, x: (lambda y: y + net["norm"](y))(net["layer"](x)),  # another reads what lies before
        lambda net, x: net["norm"](net["layer"](net["layer"](x))),  # the layer is used elsewhere without it
    ],
)
def test_batch_normalisation_that_cannot_fold_is_a_scale_and_a_shift(run: Callable[[Net, Tensor], Tensor]) -> None:
    model = Net(run, layer=nn.Linear(4, 4), norm=nn.BatchNorm1d(4))
    assert [step.stored for step in operations(model, TABLE) if step.name == "norm"] == [{"weight": 16, "bias": 16}]


def test_the_bytes_of_a_module_are_those_of_its_own_tensors() -> None:
    assert stored_bytes(nn.Linear(4, 3)) == {"weight": 48, "bias": 12}
    assert stored_bytes(nn.Linear(4, 3, bias=False)) == {"weight": 48}
    assert stored_bytes(nn.BatchNorm2d(5)) == {"weight": 20, "bias": 20}
    assert stored_bytes(nn.BatchNorm2d(5, affine=False)) == {"weight": 20, "bias": 20}
    assert stored_bytes(nn.Sequential(nn.Linear(4, 3))) == {}
    assert stored_bytes(nn.PReLU(3)) == {"weight": 12}
    holder = nn.Module()
    holder.register_buffer("table", torch.zeros(5))
    holder.register_parameter("gain", nn.Parameter(torch.zeros(2)))
    assert stored_bytes(holder) == {"gain": 8, "table": 20}


def test_what_is_stored_otherwise_takes_whole_bytes() -> None:
    layer = Coded(4, 3)
    assert isinstance(layer, Stored)
    assert stored_bytes(layer) == {"indices": 2, "codebook": 4}
    (only,) = operations(nn.Sequential(layer), TABLE)
    assert (only.name, only.macs, only.weight_bytes) == ("0", 12, 6)


def test_activations_take_a_byte_where_every_layer_is_quantised() -> None:
    def model() -> nn.Sequential:
        return nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.ReLU(), nn.Linear(3, 2))

    assert activation_bytes(model()) == 4
    assert activation_bytes(Quantization().apply(model(), {"0": 4}, TABLE)) == 4
    whole = Quantization().apply(model(), {"0": 4, "3": 8}, TABLE)
    assert activation_bytes(whole) == 1
    assert [step.output_bytes for step in operations(whole, TABLE)] == [3, 3, 3, 2]
    assert activation_bytes(nn.Sequential(nn.ReLU())) == 4


def test_costs_are_counted_in_evaluation_mode_and_leave_the_weights_alone() -> None:
    model = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Dropout(0.5)).train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    operations(model, TABLE)
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert not model.training


def branching(net: Net, x: Tensor) -> Tensor:
    return net["a"](x) if x.sum() > 0 else x


def counting(net: Net, x: Tensor) -> Tensor:
    for _ in range(len(x)):
        x = net["a"](x)
    return x


def looping(net: Net, x: Tensor) -> Tensor:
    for _ in range(x.shape[0]):
        x = net["a"](x)
    return x


@pytest.mark.parametrize("run", [branching, counting, looping])
def test_a_network_that_cannot_be_traced_is_refused(run: Callable[[Net, Tensor], Tensor]) -> None:
    with pytest.raises(ValueError, match=r"must be traceable by torch\.fx, without branches on values, but Net: "):
        operations(Net(run, a=nn.Linear(4, 4)), TABLE)


@pytest.mark.parametrize(
    ("steps", "input_bytes", "peak"),
    [
        ((step(10, -1), step(20, 0), step(5, 1)), 4, 30),  # each result is freed once it is read
        ((step(10, -1), step(8, 0)), 100, 110),
        ((step(10, -1), step(10, 0, in_place=True), step(4, 1)), 4, 14),  # written over
        ((step(10, -1), step(10, 0), step(4, 1)), 4, 20),  # not written over
        ((step(10, -1), step(20, 0, in_place=True)), 4, 30),  # does not fit over its input
        ((step(10, -1), step(10, 0), step(10, 0, 1), step(1, 2)), 4, 30),  # a residual sum
        ((step(10, -1), step(10, 0), step(10, 0, 1, in_place=True), step(1, 2)), 4, 20),  # a residual sum in place
        ((step(10, -1), step(10, 0, in_place=True), step(10, 0, 1), step(1, 2)), 4, 30),  # in place, but read later
        ((step(10, -1), step(10, -1), step(1, 0, 1)), 6, 26),  # the input is read twice
        ((step(10, -1, in_place=True),), 10, 10),  # the input itself is written over
        ((step(10, -1), step(10, 0, in_place=True), step(10, 1, in_place=True)), 1, 11),
        ((step(10, -1), step(3, -1), step(1, 1)), 5, 15),  # nothing reads the first: it goes at once
        ((step(7, -1),), 2, 9),
        ((), 6, 6),
    ],
)
def test_the_peak_is_the_most_that_is_alive_at_once(steps: tuple[Operation, ...], input_bytes: int, peak: int) -> None:
    assert peak_memory(steps, input_bytes) == peak


def test_the_peak_of_networks_by_hand() -> None:
    def residual(net: Net, x: Tensor) -> Tensor:
        first = net["a"](x)
        return net["c"](first + torch.relu(net["b"](first)))

    def peak(model: nn.Module, inputs: Tensor) -> int:
        return peak_memory(operations(model, inputs), inputs[:1].numel() * 4)

    # Input 100, convolution 72: together the most; then 72 in place, and 72 + 12.
    chain = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.Flatten(), nn.Linear(18, 3))
    assert peak(chain, IMAGE) == 172
    # The first result, 32, waits for the sum; the second, 32, is written over; the last is 80.
    parts = {"a": nn.Linear(4, 8), "b": nn.Linear(8, 8), "c": nn.Linear(8, 20)}
    assert peak(Net(residual, **parts), TABLE) == 32 + 80
    # A sigmoid gate of one value a channel cannot take the product, which is larger.
    gate = Net(lambda net, x: torch.sigmoid(x.mean((2, 3), keepdim=True)) * x)
    assert peak(gate, IMAGE) == 100 + 4
