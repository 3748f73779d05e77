"""What an operation does, whatever its numbers are."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from nas.program.operations import AvgPool, Conv, Flatten, Linear, MaxPool, Operation, TensorType
from nas.program.program import Program


def macs(operation: Operation, result: TensorType) -> int:
    """Multiply-accumulates for one sample."""
    return (
        result.size * prod(operation.weights.shape[1:])
        if isinstance(operation, (Conv, Linear))
        else 0
    )


def traffic(sources: Sequence[TensorType], result: TensorType) -> int:
    """Bytes of the tensors that are read and written for one sample, one for each element."""
    return result.size + sum(source.size for source in sources)


@dataclass(frozen=True)
class Geometry:
    """The sort of an operation, the shapes that it deals with, and what that amounts to for one
    sample.

    `bytes` counts one for each element of its tensors and weights: weights of any bits are held as
    8-bit integers.
    """

    kind: str
    shapes: str
    macs: int
    bytes: int


def geometry(operation: Operation, sources: Sequence[TensorType], result: TensorType) -> Geometry:
    """The geometry of an operation; convolutions in groups, which run at other rates, are a kind of
    their own.
    """
    kind, held = type(operation).__name__, 0
    shapes = f"{' and '.join(_by(source.shape) for source in sources)} to {_by(result.shape)}"
    if isinstance(operation, (Conv, Linear)):
        held = operation.weights.size
    if isinstance(operation, Conv):
        kind = "Conv" if operation.groups == 1 else "grouped Conv"
        shapes += f", kernel {_by(operation.weights.shape[2:])}, dilation {_by(operation.dilation)}, groups {operation.groups}"
    if isinstance(operation, (MaxPool, AvgPool)):
        shapes += f", kernel {_by(operation.kernel)}"
    if isinstance(operation, (Conv, MaxPool, AvgPool)):
        shapes += f", stride {_by(operation.stride)}, padding {_by(operation.padding)}"
    return Geometry(kind, shapes, macs(operation, result), traffic(sources, result) + held)


def geometries(program: Program) -> list[Geometry]:
    """The geometry of every operation but Flatten, which moves nothing."""
    return [
        geometry(operation, [program.tensors[source] for source in operation.inputs], result)
        for operation, result in zip(program.operations, program.tensors[1:], strict=True)
        if not isinstance(operation, Flatten)
    ]


def _by(numbers: Sequence[int]) -> str:
    return "x".join(map(str, numbers))
