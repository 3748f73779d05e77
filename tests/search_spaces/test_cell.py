from itertools import product

import pytest
import torch
from torch import Tensor, nn

from compressors.quantization import Quantization
from nas.compress import compress
from nas.lowering import lower_all_channels
from nas.measure import costs
from nas.seeds import seeded
from search_spaces.cell import EDGES, OPERATIONS, Cell, SummedEdges

BENCHMARK = Cell(widths=(16,), cells=(5,), bits=())


def images(*shape: int) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(0))


def test_genotypes_are_those_of_the_benchmark() -> None:
    assert [choice.name for choice in BENCHMARK.choices] == [
        "edge01.op",
        "edge02.op",
        "edge12.op",
        "edge03.op",
        "edge13.op",
        "edge23.op",
    ]
    assert BENCHMARK.choices.size == 15_625
    assert all(choice.options == OPERATIONS for choice in BENCHMARK.choices)


def test_a_network_has_the_parts_of_the_benchmark() -> None:
    genes = 3, 3, 3, 1, 3, 2  # four convolutions of 3x3, one of single pixels and a skip
    model = BENCHMARK.build(BENCHMARK.choices.decode(genes), images(2, 3, 32, 32), 10)
    cells = [module for module in model.modules() if isinstance(module, SummedEdges)]
    first = [next(m for m in cell.modules() if isinstance(m, nn.Conv2d)) for cell in cells]
    assert [conv.in_channels for conv in first] == [16] * 5 + [32] * 5 + [64] * 5
    in_cells = sum(5 * (4 * (9 * c * c + 2 * c) + c * c + 2 * c) for c in (16, 32, 64))
    between = sum(9 * c * 2 * c + 9 * 4 * c * c + 8 * c + 2 * c * c for c in (16, 32))
    around = 3 * 16 * 9 + 2 * 16 + 2 * 64 + 64 * 10 + 10
    assert sum(p.numel() for p in model.parameters()) == in_cells + between + around == 1_073_466


@pytest.mark.parametrize("seed", range(3))
def test_a_node_is_the_sum_of_its_edges(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randint(5, (6,), generator=generator).tolist()
    operations = {edge: OPERATIONS[gene] for edge, gene in zip(EDGES, drawn, strict=True)}
    with seeded(0):
        cell = SummedEdges(operations, 3).eval()
    x = images(2, 3, 8, 8)
    nodes = [x]
    for b in (1, 2, 3):
        node = torch.zeros_like(x)
        for a in range(b):
            if operations[a, b] != "none" and f"{a}{b}" in cell.edges:
                node = node + cell.edges[f"{a}{b}"](nodes[a])
        nodes.append(node)
    assert torch.allclose(cell(x), nodes[3], atol=1e-6)


def test_only_edges_between_input_and_output_are_built() -> None:
    for genes in product(("none", "nor_conv_1x1"), repeat=6):
        operations = dict(zip(EDGES, genes, strict=True))
        cell = SummedEdges(operations, 2)
        cell(images(2, 2, 4, 4).requires_grad_()).sum().backward()
        assert all(parameter.grad is not None for parameter in cell.parameters())


def test_a_network_without_any_path_has_costs() -> None:
    space, example = Cell(widths=(4,), bits=(8,)), images(2, 1, 8, 8)
    design = space.choices.decode([0] * len(space.choices))
    model = compress(space.build(design, example, 3), design, [Quantization()], example)
    assert costs(model, lower_all_channels(model, example))["params"] > 0


def test_unknown_operations_are_refused() -> None:
    with pytest.raises(ValueError, match=r"operations must be of .*'conv7x7'"):
        Cell(operations=("none", "conv7x7"))
