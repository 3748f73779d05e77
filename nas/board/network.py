"""The best network so far: its ledger as text, its layers as a graph, its integers as histograms."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tensorboard.compat.proto.attr_value_pb2 import AttrValue
from tensorboard.compat.proto.graph_pb2 import GraphDef
from tensorboard.compat.proto.node_def_pb2 import NodeDef
from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
from torch import Tensor

from nas.objective import Evaluation
from nas.packed import ArtifactError, unpack
from nas.packed.drawn_layers import DrawnFile, DrawnLayer, read_layers
from nas.program import Program
from nas.program.interpreter import Interpreter
from nas.program.operations import Layer
from nas.program.tensors import Shape


@dataclass(frozen=True, eq=False)
class LoggedNetwork:
    """A packed file: its layers, the program, and samples [N, …] that its activations are shown of."""

    file: DrawnFile
    program: Program
    samples: Tensor

    def levels(self) -> dict[str, NDArray[np.generic]]:
        """The integer weights of each layer that has some, by its label."""
        return {
            drawn.label: operation.weights.levels
            for drawn, operation in zip(self.file.layers, self.program.operations, strict=True)
            if isinstance(operation, Layer)
        }

    def activations(self) -> Iterator[tuple[str, NDArray[np.generic]]]:
        """The integers that the input and each layer give for the samples, less their zero points."""
        names = ["input", *(layer.label for layer in self.file.layers)]
        with torch.inference_mode():
            for name, value in zip(
                names, Interpreter(self.program).tensors(self.samples), strict=True
            ):
                yield name, value.numpy()


def logged_network(packed: Path, weights: Path, samples: Tensor) -> LoggedNetwork | None:
    """The network of a packed file, named by the trained weights; None if there is no such file, or it
    is damaged.
    """
    try:
        content = packed.read_bytes()
        return LoggedNetwork(read_layers(content, weights), unpack(content), samples)
    except (OSError, ArtifactError):
        return None


def described(evaluation: Evaluation, file: DrawnFile) -> str:
    """Metrics, design and ledger as Markdown."""
    metrics = [[name, f"{value:.6g}"] for name, value in evaluation.metrics.items()]
    design = [[name, str(option)] for name, option in evaluation.design.items()]
    total = max(1, file.total)
    ledger = [[*_told(layer), f"{layer.total / total:.1%}"] for layer in file.layers]
    rest = sum(file.rest.values())
    ledger.append(["file", "", "", "", "", f"{rest:,}", f"{rest / total:.1%}"])
    ledger.append(["in all", "", "", "", "", f"{file.total:,}", "100.0%"])
    head = "layer", "operator", "result", "bits of weights", "bits of results", "bytes", "share"
    return "\n\n".join(
        [
            f"number {evaluation.id}",
            _table(("metric", "value"), metrics),
            _table(head, ledger),
            _table(("choice", "option"), design),
        ]
    )


def _told(layer: DrawnLayer) -> list[str]:
    weights = "" if layer.weight_bits is None else str(layer.weight_bits)
    shape = "×".join(map(str, layer.result))
    bits = str(layer.activation_bits)
    return [layer.label, layer.operator, shape, weights, bits, f"{layer.total:,}"]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [[*head], ["---"] * len(head), *([_cell(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(text: str) -> str:
    """Names of the user's stay texts in a table of Markdown."""
    return " ".join(text.replace("\\", "\\\\").replace("|", "\\|").replace("`", "\\`").split())


def graph_of(file: DrawnFile) -> GraphDef:
    """The layers as a graph, within the modules that they are part of, each with its result's shape,
    bits and bytes.
    """
    nodes = ["input", *(_node_name(layer) for layer in file.layers)]
    found = [NodeDef(name="input", op="input", attr=_attributes(file.input, {}))]
    for name, layer in zip(nodes[1:], file.layers, strict=True):
        facts = {"activation_bits": layer.activation_bits, "bytes": layer.total}
        if layer.weight_bits is not None:
            facts["weight_bits"] = layer.weight_bits
        sources = [nodes[source] for source in layer.sources]
        attributes = _attributes(layer.result, facts)
        found.append(NodeDef(name=name, op=layer.operator, input=sources, attr=attributes))
    return GraphDef(node=found)


def _node_name(layer: DrawnLayer) -> str:
    """A path of modules, of which TensorBoard makes boxes in boxes, that no other layer has."""
    index, name = re.split("[ .]", layer.label, maxsplit=1)
    *modules, last = name.replace("/", "_").split(".")
    return "/".join([*modules, f"{last}_{index}"])


def _attributes(shape: Shape, facts: Mapping[str, int]) -> dict[str, AttrValue]:
    sizes = [TensorShapeProto.Dim(size=size) for size in (-1, *shape)]
    shapes = AttrValue.ListValue(shape=[TensorShapeProto(dim=sizes)])
    numbers = {name: AttrValue(i=value) for name, value in facts.items()}
    return {"_output_shapes": AttrValue(list=shapes), **numbers}
