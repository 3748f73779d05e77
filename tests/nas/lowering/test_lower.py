import copy
import dataclasses
import itertools
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, fx, nn
from torch.nn import functional

from compressors.pruning import ChannelPruning
from compressors.quantization import Quantization
from nas.compress import compress
from nas.data import Split, Task
from nas.data.digits import digits
from nas.lowering import lower, lower_all_channels, snapped
from nas.mask import WeightMask
from nas.program import Interpreter, Program
from nas.program.operations import (
    Add,
    AvgPool,
    Concat,
    Conv,
    Flatten,
    Layer,
    Linear,
    Lut,
    MaxPool,
    Mul,
    Operation,
    Pad,
    PRelu,
    Upsample,
)
from nas.quantize import ActivationQuantizer, UnsupportedError, calibrate, insert_quantizers
from nas.quantize.calibrate import RangeEstimator, minmax, percentile, squared_error
from nas.quantize.weight_levels import Granularity, affine_levels
from nas.quantize.weight_quantizers import WeightMethod
from nas.seeds import seeded
from nas.space import SearchSpace
from nas.training.fit import cross_entropy, fit
from nas.training.recipe import Recipe
from search_spaces.conv_stages import ConvStages
from search_spaces.mlp import Mlp
from tests.networks import Wired


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def normalized(norm: nn.BatchNorm1d | nn.BatchNorm2d) -> nn.Module:
    """Batch normalization as after some training, with gains of both signs and one of zero."""
    with torch.no_grad():
        norm.weight.copy_(torch.linspace(-1.5, 1.5, norm.num_features))
        if norm.num_features > 2:
            norm.weight[1] = 0.0
        norm.bias.copy_(noise(norm.num_features, seed=1))
        assert norm.running_mean is not None
        assert norm.running_var is not None
        norm.running_mean.copy_(noise(norm.num_features, seed=2))
        norm.running_var.copy_(noise(norm.num_features, seed=3).abs() + 0.3)
    return norm


def sequence(*layers: nn.Module) -> nn.Module:
    return nn.Sequential(*layers, nn.Flatten())


def slopes(channels: int) -> nn.PReLU:
    """A PReLU as after some training, with slopes of both signs, one of zero and one above 1."""
    made = nn.PReLU(channels)
    with torch.no_grad():
        made.weight.copy_(torch.linspace(-0.7, 1.4, channels))
        made.weight[1] = 0.0
    return made


def gated(net: Wired, x: Tensor) -> Tensor:
    y = net["conv"](x)
    return net["flat"](y * torch.sigmoid(net["gate"](net["pool"](y))))


def residual(net: Wired, x: Tensor) -> Tensor:
    y = net["a"](x)
    return net["flat"](torch.relu(y + net["b"](torch.relu(y))))


def joined(net: Wired, x: Tensor) -> Tensor:
    y = net["a"](x)
    return net["flat"](torch.cat([y, net["b"](y)], 1))


def same(net: Wired, x: Tensor) -> Tensor:
    """A convolution with "same" padding and stride 2, as TensorFlow has it, and a shortcut."""
    y = net["a"](functional.pad(x, (0, 1, 0, 1)))
    return net["flat"](y + functional.pad(net["b"](y), (1, 0, 0, 2)))


def networks() -> dict[str, tuple[nn.Module, tuple[type[Operation], ...]]]:
    flat = nn.Flatten()
    tables = (
        nn.Sigmoid,
        nn.Tanh,
        nn.Hardswish,
        nn.Hardsigmoid,
        nn.SiLU,
        nn.GELU,
        nn.ELU,
        nn.LeakyReLU,
        nn.Hardtanh,
        nn.Mish,
    )
    with seeded(0):
        return {
            "folded": (
                sequence(
                    nn.Conv2d(4, 5, 3, bias=False),
                    normalized(nn.BatchNorm2d(5)),
                    nn.ReLU(),
                    nn.Conv2d(5, 3, 1),
                ),
                (Conv, Conv, Flatten),
            ),
            "folded with a bias": (
                sequence(nn.Conv2d(4, 6, 3), normalized(nn.BatchNorm2d(6))),
                (Conv, Flatten),
            ),
            "folded linear": (
                nn.Sequential(
                    flat,
                    nn.Linear(256, 7, bias=False),
                    normalized(nn.BatchNorm1d(7)),
                    nn.ReLU(),
                    nn.Linear(7, 3),
                ),
                (Flatten, Linear, Linear),
            ),
            "relu6": (sequence(nn.Conv2d(4, 5, 3), nn.ReLU6()), (Conv, Flatten)),
            "depthwise": (sequence(nn.Conv2d(4, 4, 3, padding=1, groups=4)), (Conv, Flatten)),
            "grouped": (sequence(nn.Conv2d(4, 6, 3, groups=2)), (Conv, Flatten)),
            "dilated": (
                sequence(nn.Conv2d(4, 3, 3, dilation=(2, 1), padding=(2, 0))),
                (Conv, Flatten),
            ),
            "strided": (
                sequence(nn.Conv2d(4, 3, (5, 3), stride=(2, 3), padding=(1, 0))),
                (Conv, Flatten),
            ),
            "max pooling": (
                sequence(nn.Conv2d(4, 3, 3), nn.MaxPool2d(3, 2, 1)),
                (Conv, MaxPool, Flatten),
            ),
            "average pooling": (
                sequence(nn.Conv2d(4, 3, 1), nn.AvgPool2d(3, 2, 1)),
                (Conv, AvgPool, Flatten),
            ),
            "adaptive pooling": (
                sequence(nn.Conv2d(4, 3, 1), nn.AdaptiveAvgPool2d((2, 4))),
                (Conv, AvgPool, Flatten),
            ),
            "upsampling": (
                sequence(nn.Conv2d(4, 2, 3), nn.UpsamplingNearest2d(scale_factor=2)),
                (Conv, Upsample, Flatten),
            ),
            "gate": (
                Wired(
                    gated,
                    conv=nn.Conv2d(4, 5, 3),
                    pool=nn.AdaptiveAvgPool2d(1),
                    gate=nn.Conv2d(5, 5, 1),
                    flat=flat,
                ),
                (Conv, AvgPool, Conv, Lut, Mul, Flatten),
            ),
            "residual": (
                Wired(residual, a=nn.Conv2d(4, 5, 3), b=nn.Conv2d(5, 5, 3, padding=1), flat=flat),
                # A ReLU whose input has another reader is a table.
                (Conv, Lut, Conv, Add, Flatten),
            ),
            "joined": (
                Wired(joined, a=nn.Conv2d(4, 3, 1), b=nn.Conv2d(3, 2, 1), flat=flat),
                (Conv, Conv, Concat, Flatten),
            ),
            **{
                kind.__name__: (sequence(nn.Conv2d(4, 3, 3), kind()), (Conv, Lut, Flatten))
                for kind in tables
            },
            "PReLU": (sequence(nn.Conv2d(4, 3, 3), slopes(3)), (Conv, PRelu, Flatten)),
            "PReLU with one slope": (
                sequence(nn.Conv2d(4, 3, 3), nn.PReLU(init=-0.3)),
                (Conv, PRelu, Flatten),
            ),
            "PReLU of features": (
                nn.Sequential(flat, nn.Linear(256, 7), slopes(7), nn.Linear(7, 3)),
                (Flatten, Linear, PRelu, Linear),
            ),
            "zero padding": (
                sequence(
                    nn.Conv2d(4, 3, 3, bias=False),
                    normalized(nn.BatchNorm2d(3)),
                    nn.ReLU6(),
                    nn.ZeroPad2d((3, 0, 1, 2)),
                    nn.ReLU(),
                    nn.ZeroPad2d(0),
                    nn.Conv2d(3, 3, 3, stride=2),
                ),
                # A ReLU behind a padding is a table.
                (Conv, Pad, Lut, Conv, Flatten),
            ),
            "same padding": (
                Wired(
                    same,
                    a=nn.Conv2d(4, 5, 3, stride=2),
                    b=nn.Conv2d(5, 5, (3, 4), padding=(0, 1)),
                    flat=flat,
                ),
                (Pad, Conv, Conv, Pad, Add, Flatten),
            ),
        }


IMAGES = noise(64, 4, 8, 8)
NETWORKS = networks()


def quantized(
    model: nn.Module, bits: int = 4, weights: WeightMethod = "max", scales: Granularity = "channel"
) -> nn.Module:
    return Quantization(weights=weights, weight_scales=scales).apply(
        copy.deepcopy(model), {"": bits}, IMAGES
    )


def steps(program: Program, model: nn.Module, inputs: Tensor) -> Tensor:
    """By how many steps of the output the program differs from the network."""
    with torch.no_grad():
        said: Tensor = model.eval()(inputs)
    return (Interpreter(program)(inputs) - said).abs() / program.tensors[-1].scale


@pytest.mark.parametrize("name", NETWORKS)
def test_the_operations_are_those_of_the_network(name: str) -> None:
    model, kinds = NETWORKS[name]
    assert (
        tuple(type(operation) for operation in lower(quantized(model), IMAGES).operations) == kinds
    )


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("weights", ["max", "affine"])
@pytest.mark.parametrize("bits", [2, 4, 8])
def test_a_program_computes_what_the_settled_network_does(
    name: str, bits: int, weights: WeightMethod
) -> None:
    model = snapped(quantized(NETWORKS[name][0], bits, weights))
    off = steps(lower(model, IMAGES), model, noise(40, 4, 8, 8, seed=9))
    assert (off < 1.01).double().mean() >= 0.999
    assert (off < 0.01).double().mean() >= 0.97


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize(
    ("weights", "most"), [("max", 0.0101), ("affine", 0.0202)]
)  # biases of affine weights are one bit coarser
def test_settling_moves_nothing_by_more_than_a_hundredth_of_a_step(
    name: str, weights: WeightMethod, most: float
) -> None:
    model = quantized(NETWORKS[name][0], 4, weights)
    moved = snapped(copy.deepcopy(model))
    for one, other in ((model, moved), (moved, snapped(copy.deepcopy(moved)))):
        assert furthest(one, other) <= most


def furthest(one: nn.Module, other: nn.Module) -> float:
    """The largest difference of a layer's outputs, normalization included, on the same inputs, in
    steps of the quantizer behind it.
    """
    assert isinstance(one, fx.GraphModule)
    assert isinstance(other, fx.GraphModule)
    seen = Recording(one)
    with torch.no_grad():
        seen.run(IMAGES)
        worst = 0.0
        for node in one.graph.nodes:
            if node.op != "call_module" or not isinstance(
                module := one.get_submodule(str(node.target)), ActivationQuantizer
            ):
                continue
            chain = [node.all_input_nodes[0]]
            while chain[-1].all_input_nodes and not _is_range(one, chain[-1].all_input_nodes[0]):
                chain.append(chain[-1].all_input_nodes[0])
            if (
                any(item.op != "call_module" for item in chain)
                or len(chain[-1].all_input_nodes) != 1
            ):
                continue
            first = second = seen.outputs[chain[-1].all_input_nodes[0]]
            for item in reversed(chain):
                first, second = (
                    one.get_submodule(str(item.target))(first),
                    other.get_submodule(str(item.target))(second),
                )
            worst = max(worst, float((first - second).abs().max()) / module.levels()[0])
    return worst


def _is_range(model: fx.GraphModule, node: fx.Node) -> bool:
    return node.op == "call_module" and isinstance(
        model.get_submodule(str(node.target)), ActivationQuantizer
    )


class Recording(fx.Interpreter):
    """Records the output of each node."""

    def __init__(self, model: fx.GraphModule) -> None:
        super().__init__(model, garbage_collect_values=False)
        self.outputs: dict[fx.Node, Tensor] = {}

    def run_node(self, n: fx.Node) -> Any:
        self.outputs[n] = super().run_node(n)
        return self.outputs[n]


def test_settling_leaves_a_network_without_quantizers_alone() -> None:
    model = NETWORKS["folded"][0]
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    assert snapped(model) is model
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


def test_gains_fold_into_signs_and_multipliers() -> None:
    model = quantized(NETWORKS["folded"][0])
    first = lower(model, IMAGES).operations[0]
    assert isinstance(first, Conv)
    gains = torch.linspace(-1.5, 1.5, 5)
    gains[1] = 0.0
    plain = lower(quantized(sequence(NETWORKS["folded"][0].get_submodule("0"))), IMAGES).operations[
        0
    ]
    assert isinstance(plain, Conv)
    signs = gains.sign().numpy().astype(np.int8).reshape(-1, 1, 1, 1)
    np.testing.assert_array_equal(first.weights.values, plain.weights.values * signs)
    assert [multiplier > 1 for multiplier in first.scaling.multipliers] == [
        bool(gain) for gain in gains
    ]


@pytest.mark.parametrize("scales", ["channel", "tensor"])
@pytest.mark.parametrize("bits", range(2, 9))
def test_affine_weights_stand_for_the_levels_that_were_trained(
    bits: int, scales: Granularity
) -> None:
    network = copy.deepcopy(NETWORKS["folded"][0])
    conv, gains = network.get_submodule("0"), torch.linspace(-1.5, 1.5, 5)
    assert isinstance(conv, nn.Conv2d)
    with torch.no_grad():
        conv.weight[0].abs_()
        conv.weight[2].abs_().neg_()
        conv.weight[4] = 0.0
    model = quantized(network, bits, "affine", scales)
    first = lower_all_channels(model, IMAGES).operations[0]
    assert isinstance(first, Conv)
    wanted, _ = affine_levels(conv.weight, bits, scales)
    signs = gains.sign()
    signs[1] = 0.0  # its gain is 0, so it is a constant
    levels = first.weights.levels
    assert first.weights.zero_points is not None
    np.testing.assert_array_equal(levels, (wanted * signs.view(-1, 1, 1, 1)).numpy())
    if scales == "channel":  # weights of one sign have all levels on its side
        assert int(levels[0].min()) == -(2**bits - 1)
    plain = lower_all_channels(quantized(NETWORKS["folded"][0], bits), IMAGES).operations[0]
    assert isinstance(plain, Conv)
    assert plain.weights.zero_points is None


def test_masked_weights_stand_for_zero() -> None:
    model = sequence(nn.Conv2d(4, 6, 3), normalized(nn.BatchNorm2d(6)))
    conv = model.get_submodule("0")
    assert isinstance(conv.weight, nn.Parameter)
    with torch.no_grad():
        conv.weight.abs_()
    # Nothing is set to 0 before training, but the program is without it.
    conv.add_module(
        "mask", WeightMask(conv.weight, noise(6, 4, 3, 3), 100, None, lambda progress: progress)
    )
    first = lower_all_channels(quantized(model, 4, "affine"), IMAGES).operations[0]
    assert isinstance(first, Conv)
    levels, kept = first.weights.levels, first.weights.kept
    assert kept is not None
    assert (levels[~kept] == 0).all()
    assert (first.weights.values[~kept] == 0).all()
    assert np.count_nonzero(levels) > 60
    assert (levels[4:] >= 0).all()
    assert (levels[:2] <= 0).all()


def test_a_quantized_network_learns_slopes() -> None:
    model = quantized(NETWORKS["PReLU"][0]).train()
    before = model.get_parameter("1.weight").clone()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    model(IMAGES).mean().backward()
    optimizer.step()
    after = model.get_parameter("1.weight").detach()
    assert (after != before).all()
    program = lower_all_channels(snapped(model), IMAGES)
    prelu, (source, result) = program.operations[1], program.tensors[1:3]
    assert isinstance(prelu, PRelu)
    wanted = after.numpy() * source.scale / result.scale
    np.testing.assert_allclose(prelu.slope_factors, wanted, atol=2.0**-16)
    assert (steps(program, model, noise(40, 4, 8, 8, seed=9)) < 0.01).double().mean() >= 0.97


@pytest.mark.parametrize("slope", [0.0, 1e-6, -3.0, 1e7])
def test_slopes_of_any_size_have_an_integer_form(slope: float) -> None:
    model = sequence(nn.Conv2d(4, 3, 3), nn.PReLU(init=slope))
    program = lower(model, IMAGES)
    with torch.no_grad():
        error = (Interpreter(program)(IMAGES) - model(IMAGES)).square().mean()
    assert error < 0.01 * model(IMAGES).var()


def test_a_padding_keeps_the_quantizer_and_a_sum_shares_it() -> None:
    program = lower(quantized(NETWORKS["same padding"][0]), IMAGES)
    first, padded, *results = program.tensors
    assert padded == dataclasses.replace(first, shape=(4, 9, 9))
    assert [tensor.shape for tensor in results] == [
        (5, 4, 4),
        (5, 2, 3),
        (5, 4, 4),
        (5, 4, 4),
        (80,),
    ]
    assert len({(tensor.scale, tensor.zero) for tensor in results}) == 1
    said = functional.pad(IMAGES, (0, 1, 0, 1), "constant", 0.0)
    again = Wired(
        lambda net, x: net["flat"](functional.pad(x, (0, 1, 0, 1), "constant", 0.0)),
        flat=nn.Flatten(),
    )
    found = Interpreter(lower(again, IMAGES))(IMAGES).view_as(said)
    assert (found - said).abs().max() <= first.scale / 2 * 1.01
    assert (found[:, :, 8] == 0).all()
    assert (found[:, :, :, 8] == 0).all()


def test_clamps_are_fused() -> None:
    program = lower(quantized(sequence(nn.Conv2d(4, 5, 3), nn.ReLU6())), 20.0 * IMAGES)
    layer, result = program.operations[0], program.tensors[1]
    assert isinstance(layer, Conv)
    assert layer.scaling.low == result.zero == 0
    wide = insert_quantizers(sequence(nn.Conv2d(4, 5, 3), nn.ReLU6()), 8)
    for module in wide.modules():
        if isinstance(module, ActivationQuantizer):
            module.low.fill_(-3.0)
            module.high.fill_(9.0)
    program = lower(wide, IMAGES)
    layer, result = program.operations[0], program.tensors[1]
    assert isinstance(layer, Conv)
    assert (layer.scaling.low, layer.scaling.high) == (
        result.zero,
        result.zero + round(6.0 / result.scale),
    )
    said = Interpreter(program)(100.0 * IMAGES)
    assert said.min() == 0.0
    assert said.max() == pytest.approx(6.0, abs=result.scale)


@pytest.mark.parametrize("method", [minmax, percentile, squared_error])
@pytest.mark.parametrize("name", ["folded", "folded linear", "residual", "joined", "gate", "SiLU"])
def test_a_float_network_is_calibrated(name: str, method: RangeEstimator) -> None:
    model = copy.deepcopy(NETWORKS[name][0]).eval()
    before = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    program = lower(model, IMAGES, method)
    with torch.no_grad():
        said = model(IMAGES)
    error = (Interpreter(program)(IMAGES) - said).square().mean() / said.var()
    assert error < 0.01
    assert all(torch.equal(before[key], tensor) for key, tensor in model.state_dict().items())
    layers = [operation for operation in program.operations if isinstance(operation, Layer)]
    assert {layer.weights.bits for layer in layers} == {8}


def test_the_bits_of_layers_and_tensors_are_those_that_were_trained() -> None:
    model = Quantization(activation_bits=5).apply(
        copy.deepcopy(NETWORKS["folded"][0]), {"0": 3, "3": 6}, IMAGES
    )
    program = lower(model, IMAGES)
    layers = [operation for operation in program.operations if isinstance(operation, Conv)]
    assert [layer.weights.bits for layer in layers] == [3, 6]
    assert {tensor.bits for tensor in program.tensors} == {5}
    assert [operation.name for operation in program.operations] == ["0", "3", "4"]


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (
            sequence(nn.Conv2d(4, 4, 3, padding="same")),
            "'0' must pad with a number of zeros, but has 'zeros', 'same'",
        ),
        (
            sequence(nn.Conv2d(4, 4, 3, padding=1, padding_mode="circular")),
            "'0' must pad with a number of zeros",
        ),
        (sequence(nn.MaxPool2d(3, ceil_mode=True)), "'0' must pool without ceil_mode and dilation"),
        (
            sequence(nn.AdaptiveAvgPool2d(3)),
            r"'0' must pool windows of one size, but \(8, 8\) is no multiple of \(3, 3\)",
        ),
        (
            sequence(nn.AvgPool2d(3, padding=1, count_include_pad=False)),
            "'0' must average whole windows, padding included",
        ),
        (sequence(nn.UpsamplingNearest2d(size=(9, 9))), "'0' must enlarge by a whole scale_factor"),
        (
            sequence(nn.UpsamplingNearest2d(scale_factor=(2, 3))),
            "'0' must enlarge by a whole scale_factor",
        ),
        (
            sequence(nn.UpsamplingNearest2d(scale_factor=1.5)),
            "'0' must enlarge by a whole scale_factor",
        ),
        (
            sequence(nn.ZeroPad2d((1, -1, 0, 0))),
            r"'0' must pad by 0 or more, \(left, right, top, bottom\), but by \(1, -1, 0, 0\)",
        ),
        (
            Wired(lambda net, x: torch.flatten(functional.pad(x, (1, 1)), 1)),
            r"'pad' must pad by 0 or more, \(left, right, top, bottom\), but by \(1, 1\)",
        ),
        (
            Wired(lambda net, x: torch.flatten(functional.pad(x, (0, 0, 0, 0, 1, 1)), 1)),
            r"'pad' must pad by 0 or more, .* but by \(0, 0, 0, 0, 1, 1\)",
        ),
        (
            Wired(lambda net, x: torch.flatten(functional.pad(x, (1, 1, 1, 1), "reflect"), 1)),
            "'pad' must pad with zeros, mode 'constant' and value 0, but has 'reflect', None",
        ),
        (
            Wired(lambda net, x: torch.flatten(functional.pad(x, (1, 1, 1, 1), value=0.5), 1)),
            "'pad' must pad with zeros, mode 'constant' and value 0, but has 'constant', 0.5",
        ),
        (
            sequence(nn.ConstantPad2d(1, 0.5)),
            "must have an integer form, but '0' is a ConstantPad2d",
        ),
        (nn.Sequential(nn.Flatten(2)), "'0' must flatten from dimension 1, but from 2"),
        (Wired(lambda net, x: torch.cat([x, x], 2)), "'cat' must join channels, dim=1"),
        (
            Wired(lambda net, x: torch.flatten(nn.functional.max_pool2d(x, 1), 1)),
            "'max_pool2d' must be a module, nn.MaxPool2d, but is a function",
        ),
        (
            Wired(lambda net, x: torch.flatten(x + 1.0, 1)),
            "must read tensors that the network computes, but got 1.0; use a module",
        ),
        (
            Wired(lambda net, x: torch.flatten(torch.add(x, x, alpha=2), 1)),
            "'add' must have no further arguments, but got {'alpha'",
        ),
    ],
)
def test_what_has_no_integer_form_is_refused_by_name(model: nn.Module, message: str) -> None:
    with pytest.raises(UnsupportedError, match=message):
        lower(model, IMAGES)


@pytest.fixture(scope="module")
def task() -> Task:
    return digits(np.random.default_rng(0))


@pytest.mark.parametrize(
    ("space", "seed"), list(itertools.product([ConvStages(), Mlp()], range(2)))
)
def test_the_program_of_a_trained_network_says_what_it_does(
    task: Task, space: SearchSpace, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    design = space.choices.decode(space.choices.sample(rng))
    # Four epochs: after one, a network of this space may be at chance, its two highest logits a
    # single step apart.
    recipe, shuffle = Recipe(), torch.Generator().manual_seed(seed)
    with seeded(seed):
        model = space.build(design, task.example, task.classes)
        model = compress(model, design, (ChannelPruning(), Quantization()), task.train.inputs[:256])
        fit(model, task, recipe, epochs=4, lr=recipe.lr, loss=cross_entropy, generator=shuffle)
    before = copy.deepcopy(model)
    model = snapped(model)
    program = lower(model, task.example)
    inputs = held_out(task).inputs
    with torch.no_grad():
        said, unsettled = model.eval()(inputs), before.eval()(inputs)
    found = Interpreter(program)(inputs)
    off = (found - said).abs() / program.tensors[-1].scale
    # Of 200 random networks 99.997 % of outputs are within a step (benchmarks/agreement.py); a
    # single deep one has fewer.
    assert (off < 1.01).double().mean() >= 0.995
    assert (found.argmax(1) == said.argmax(1)).double().mean() >= 0.99
    assert (found.argmax(1) == unsettled.argmax(1)).double().mean() >= 0.95


def held_out(task: Task) -> Split:
    parts = (task.validation, task.test)
    return Split(
        torch.cat([part.inputs for part in parts]), torch.cat([part.labels for part in parts])
    )


def test_calibrating_does_not_undo_what_was_trained() -> None:
    model = quantized(NETWORKS["folded"][0])
    calibrate(model, 3.0 * IMAGES)
    program = lower(model, IMAGES)
    assert program.tensors[0].scale == pytest.approx(3.0 * float(IMAGES.max() - IMAGES.min()) / 255)


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_a_layer_that_is_called_twice_is_settled_for_its_first_call(bits: int) -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer, self.head = nn.Conv2d(1, 1, 3, padding=1), nn.Linear(36, 8)

        def forward(self, x: Tensor) -> Tensor:
            hidden: Tensor = self.head(torch.flatten(self.layer(torch.relu(self.layer(x))), 1))
            return hidden

    torch.manual_seed(bits)
    images = torch.rand(500, 1, 6, 6)
    model = snapped(Quantization().apply(Twice(), {"": bits}, images))
    program = lower(model, images)
    with torch.no_grad():
        steps = (Interpreter(program)(images) - model.eval()(images)).abs() / program.tensors[
            -1
        ].scale
    assert (steps < 1.01).double().mean() >= 0.999
    assert [operation.name for operation in program.operations].count("layer") == 2
