from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from nas.quantize import (
    ActivationQuantizer,
    FusedReLU,
    UnsupportedError,
    calibrate,
    insert_quantizers,
    quantized_layer,
)
from nas.seeds import seeded
from tests.networks import Wired


def linear() -> nn.Linear:
    with seeded(0):
        return nn.Linear(4, 4)


def behind(model: nn.Module) -> list[tuple[str, str]]:
    """Which node each quantizer follows, and the name of its range, in order."""
    traced = insert_quantizers(model, 8)
    return [
        (node.all_input_nodes[0].name, str(node.target).removeprefix("ranges."))
        for node in traced.graph.nodes
        if node.op == "call_module"
        and isinstance(traced.get_submodule(str(node.target)), ActivationQuantizer)
    ]


def test_a_quantizer_follows_the_input_and_each_layer_with_its_fused_operations() -> None:
    model = nn.Sequential()
    model.add_module("conv", nn.Conv2d(1, 2, 3))
    model.add_module("norm", nn.BatchNorm2d(2))
    model.add_module("relu", nn.ReLU6())
    model.add_module("pool", nn.MaxPool2d(2))
    model.add_module("mean", nn.AdaptiveAvgPool2d(1))
    model.add_module("flat", nn.Flatten())
    model.add_module("head", nn.Linear(2, 3))
    # What only moves integers about needs none.
    assert behind(model) == [(name, name) for name in ("input_1", "relu", "mean", "head")]


def test_a_result_with_other_readers_is_not_fused() -> None:
    def run(net: Wired, x: Tensor) -> Tensor:
        y = net["a"](x)
        return y * torch.relu(y)

    assert [node for node, _ in behind(Wired(run, a=linear()))] == ["x", "a", "relu", "mul"]


def test_a_clamp_is_not_fused_into_a_lookup_table() -> None:
    assert [node for node, _ in behind(nn.Sequential(linear(), nn.Sigmoid(), nn.ReLU()))] == [
        "input_1",
        "_0",
        "_1",
        "_2",
    ]


def test_summands_and_their_sum_share_a_quantizer() -> None:
    def run(net: Wired, x: Tensor) -> Tensor:
        first = net["a"](x)
        second = first + net["b"](first)
        return second + net["c"](torch.relu(second))

    found = dict(behind(Wired(run, a=linear(), b=linear(), c=linear())))
    assert {node for node, name in found.items() if name == found["a"]} == {
        "a",
        "b",
        "add",
        "c",
        "add_1",
    }
    assert found["x"] == "x"
    assert found["relu"] == "relu"
    traced = insert_quantizers(Wired(run, a=linear(), b=linear(), c=linear()), 8)
    assert sum(isinstance(module, ActivationQuantizer) for module in traced.modules()) == 3


def test_concatenated_parts_share_a_quantizer_through_operations_that_move_them() -> None:
    def run(net: Wired, x: Tensor) -> Tensor:
        y = net["pool"](net["a"](x))
        return net["head"](torch.cat([y, net["b"](y)], 1))

    parts = {
        "a": nn.Conv2d(1, 2, 1),
        "b": nn.Conv2d(2, 3, 1),
        "pool": nn.MaxPool2d(2),
        "head": nn.Flatten(),
    }
    found = dict(behind(Wired(run, **parts)))
    assert found["a"] == found["b"] == found["cat"] != found["x"]


def test_layers_keep_their_names_and_parameters() -> None:
    model = nn.Sequential(quantized_layer(linear(), 3), nn.ReLU(), linear())
    traced = insert_quantizers(model, 6)
    assert traced.get_submodule("0") is model[0]
    assert traced.get_submodule("2") is model[2]
    assert {name: id(part) for name, part in traced.named_parameters()} == {
        name: id(part) for name, part in model.named_parameters()
    }
    assert all(
        module.bits == 6 for module in traced.modules() if isinstance(module, ActivationQuantizer)
    )


def test_a_shared_quantizer_observes_all_its_tensors() -> None:
    def run(net: Wired, x: Tensor) -> Tensor:
        return net["a"](x) + net["b"](x)

    traced = insert_quantizers(Wired(run, a=linear(), b=linear()), 8).train()
    x = torch.randn(16, 4, generator=torch.Generator().manual_seed(0))
    traced(x)
    _, module = (module for module in traced.modules() if isinstance(module, ActivationQuantizer))
    # Both layers are the same, so their sum reaches twice as far.
    assert module.high.item() >= 1.9 * linear()(x).max().item()


class Branching(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x if x.sum() > 0 else -x


def counting(net: Wired, x: Tensor) -> Tensor:
    for _ in range(len(x)):
        x = net["a"](x)
    return x


def looping(net: Wired, x: Tensor) -> Tensor:
    for _ in range(x.shape[0]):
        x = net["a"](x)
    return x


@pytest.mark.parametrize(
    "model", [Branching(), Wired(counting, a=linear()), Wired(looping, a=linear())]
)
def test_a_network_that_cannot_be_traced_is_refused(model: nn.Module) -> None:
    with pytest.raises(
        UnsupportedError, match=r"must be traceable by torch\.fx, without branches on values, but: "
    ):
        insert_quantizers(model, 8)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (
            nn.Sequential(nn.Linear(4, 4), nn.Softmax(1), nn.Linear(4, 4)),
            r"must have an integer form, but '1' is a Softmax; these modules have one: .*Conv2d, .*Tanh",
        ),
        (
            Wired(lambda net, x: x * torch.softmax(net["a"](x), 1), a=linear()),
            r"must have an integer form, but 'softmax' calls softmax; use one of these modules",
        ),
        (
            Wired(lambda net, x: net["a"](x).exp(), a=linear()),
            r"must have an integer form, but 'exp' calls exp; use one of .*ReLU6",
        ),
        (
            Wired(lambda net, x: torch.maximum(net["a"](x), x), a=linear()),
            r"'maximum' calls maximum; .* use a sum, or nn.MaxPool2d instead",
        ),
    ],
)
def test_an_operation_without_an_integer_form_is_refused_with_those_that_have_one(
    model: nn.Module, message: str
) -> None:
    with pytest.raises(UnsupportedError, match=message):
        insert_quantizers(model, 8)


@pytest.mark.parametrize(
    "run",
    [
        lambda net, x: net["norm"](torch.relu(net["layer"](x))),  # something lies between
        lambda net, x: net["norm"](x),  # nothing lies before
        lambda net, x: (lambda y: y + net["norm"](y))(
            net["layer"](x)
        ),  # another reads what lies before
    ],
)
def test_batch_normalization_that_cannot_fold_has_its_own_quantizer(
    run: Callable[[Wired, Tensor], Tensor],
) -> None:
    traced = insert_quantizers(Wired(run, layer=linear(), norm=nn.BatchNorm1d(4)), 8)
    (norm,) = (node for node in traced.graph.nodes if node.target == "norm")
    (before,), (behind,) = norm.all_input_nodes, norm.users
    for node in (before, behind):
        assert isinstance(traced.get_submodule(str(node.target)), ActivationQuantizer)


def rectified(model: nn.Module) -> list[str]:
    """The modules that ranges carry out."""
    return [
        name
        for name, module in insert_quantizers(model, 8).named_modules()
        if isinstance(module, FusedReLU)
    ]


def test_a_relu_is_carried_out_by_the_quantizer_behind_it() -> None:
    model = nn.Sequential(
        linear(), nn.ReLU(), linear(), nn.ReLU6(), linear(), nn.Sigmoid(), nn.ReLU()
    )
    assert rectified(model) == ["1", "6"]
    assert type(model[1]) is nn.ReLU  # that of the network itself


def test_a_relu_whose_quantizer_has_other_tensors_stays() -> None:
    def run(net: Wired, x: Tensor) -> Tensor:
        return net["r"](net["a"](x)) + net["b"](x)

    assert rectified(Wired(run, a=linear(), b=linear(), r=nn.ReLU())) == []


def test_a_relu_that_is_called_twice_is_fused_if_all_its_quantizers_can() -> None:
    def chain(net: Wired, x: Tensor) -> Tensor:
        return net["r"](net["b"](net["r"](net["a"](x))))

    def joined(net: Wired, x: Tensor) -> Tensor:
        y = net["r"](net["a"](x))
        return y + net["c"](net["r"](net["b"](y)))

    assert rectified(Wired(chain, a=linear(), b=linear(), r=nn.ReLU())) == ["r"]
    assert rectified(Wired(joined, a=linear(), b=linear(), c=linear(), r=nn.ReLU())) == []


def test_training_is_the_same_with_fused_relus() -> None:
    class Own(nn.ReLU):
        """A ReLU that nobody takes over."""

    found = []
    for relu in (nn.ReLU, Own):
        with seeded(0):
            model = nn.Sequential(
                nn.Conv2d(2, 5, 3), nn.BatchNorm2d(5), relu(), nn.Flatten(), nn.Linear(80, 4)
            )
        traced = insert_quantizers(model, 5)
        inputs = torch.randn(6, 2, 6, 6, generator=torch.Generator().manual_seed(1))
        calibrate(traced, inputs)
        optimizer = torch.optim.SGD(traced.train().parameters(), lr=0.1)
        for _ in range(3):
            optimizer.zero_grad()
            traced(inputs).square().sum().backward()
            optimizer.step()
        # Ranges are named after nodes, and a ReLU of one's own is traced into.
        found.append([traced.eval()(inputs), *traced.state_dict().values()])
    assert all(torch.equal(one, other) for one, other in zip(*found, strict=True))
