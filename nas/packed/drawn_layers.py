"""The layers of a packed file: what each computes, and what its bytes are for."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from nas.packed.layer_names import layer_names
from nas.packed.unpack import ledger, unpack
from nas.program.operations import Conv, Layer, Operation
from nas.program.tensors import Shape


@dataclass(frozen=True)
class DrawnLayer:
    """One operation of a program.

    `name` is that of the user's layer where it is known, else the index and the kind; `label` has the
    index too, so that no other layer has the same. `operator` says what is computed. `sources` are
    the indices of the tensors that are read, 0 the input. `channels` are those of the result, and
    `weight_bits` those of the weights (None: it has none). `bytes` has what they are for.
    """

    name: str
    label: str
    operator: str
    sources: tuple[int, ...]
    result: Shape
    channels: int
    weight_bits: int | None
    activation_bits: int
    bytes: Mapping[str, int]

    @property
    def total(self) -> int:
        """All bytes of the layer."""
        return sum(self.bytes.values())


@dataclass(frozen=True)
class DrawnFile:
    """A packed file: the `input` shape, its layers, and the bytes that belong to none."""

    input: Shape
    layers: tuple[DrawnLayer, ...]
    rest: Mapping[str, int]

    @property
    def total(self) -> int:
        """The length of the file."""
        return sum(layer.total for layer in self.layers) + sum(self.rest.values())


def read_layers(packed: bytes, weights: Path) -> DrawnFile:
    """The layers of a packed file, named by the trained weights in `weights` where they are found.

    Raises:
        ArtifactError: if it is damaged.
    """
    program, spent = unpack(packed), dict[str, dict[str, int]]()
    for entry in ledger(packed):
        purposes = spent.setdefault(entry.layer, {})
        purposes[entry.purpose] = purposes.get(entry.purpose, 0) + entry.bytes
    names = layer_names(program, weights)
    layers = tuple(
        DrawnLayer(
            name=names.get(index, operation.name),
            label=f"{index} {names[index]}" if index in names else operation.name,
            operator=operator(operation),
            sources=operation.inputs,
            result=signature.result.shape,
            channels=signature.result.shape[0],
            weight_bits=operation.weights.bits if isinstance(operation, Layer) else None,
            activation_bits=signature.result.bits,
            bytes=spent.pop(operation.name, {}),
        )
        for index, (operation, signature) in enumerate(program.steps)
    )
    rest = {
        f"{layer} {purpose}".strip(): count
        for layer, purposes in spent.items()
        for purpose, count in purposes.items()
    }
    return DrawnFile(program.tensors[0].shape, layers, rest)


def operator(operation: Operation) -> str:
    """What an operation computes, as in "depthwise conv 3×3, stride 2"."""
    kind = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(operation).__name__).lower()
    if not isinstance(operation, Conv):
        return kind
    inputs, *kernel = operation.weights.shape[1:]
    if operation.groups > 1:
        kind = "depthwise conv" if inputs == 1 else f"conv in {operation.groups} groups"
    stride = f", stride {max(operation.stride)}" if max(operation.stride) > 1 else ""
    dilation = f", dilation {max(operation.dilation)}" if max(operation.dilation) > 1 else ""
    return f"{kind} {'×'.join(map(str, kernel))}{stride}{dilation}"
