import copy
from typing import Any

import pytest
import torch
from torch import Tensor, fx, nn

from compressors.quantization import Quantization
from nas.lowering import lower, snapped
from nas.program import Interpreter
from nas.quantize import ActivationQuantizer
from nas.quantize.weight_quantizers import WeightMethod
from tests.nas.lowering.lowering_networks import IMAGES, NETWORKS, noise, quantized, steps


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("weights", ["max", "affine"])
@pytest.mark.parametrize("bits", [2, 4, 8])
def test_a_program_computes_what_the_snapped_network_does(
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
def test_snapping_moves_nothing_by_more_than_a_hundredth_of_a_step(
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


def test_snapping_leaves_a_network_without_quantizers_alone() -> None:
    model = NETWORKS["folded"][0]
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    assert snapped(model) is model
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_a_layer_that_is_called_twice_is_snapped_for_its_first_call(bits: int) -> None:
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
