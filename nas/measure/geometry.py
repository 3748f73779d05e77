"""What an operation does, whatever the values of its weights are."""

from collections.abc import Sequence
from dataclasses import dataclass

from nas.program.operations import Conv, Flatten, Layer, Operation, Pool
from nas.program.program import Program
from nas.program.tensors import Signature


def traffic(signature: Signature) -> int:
    """Bytes of the tensors read and written for one sample, one for each element."""
    return signature.result.size + sum(source.size for source in signature.sources)


@dataclass(frozen=True)
class Geometry:
    """The kind of an operation, the shapes of its tensors and windows, and what that amounts to for
    one sample.

    `bytes` counts one for each element of its tensors and weights: weights of any bits are held as
    8-bit integers.
    """

    kind: str
    shapes: str
    macs: int
    bytes: int


def geometry(operation: Operation, signature: Signature) -> Geometry:
    """The geometry of an operation; grouped convolutions, which run at other rates, are a kind of
    their own.
    """
    kind, held = type(operation).__name__, 0
    sources = " and ".join(_by(source.shape) for source in signature.sources)
    shapes = f"{sources} to {_by(signature.result.shape)}"
    if isinstance(operation, Layer):
        held = operation.weights.size
    if isinstance(operation, (Conv, Pool)):
        window = operation.window
        shapes += f", kernel {_by(window.kernel)}"
        if isinstance(operation, Conv):
            kind = "Conv" if operation.groups == 1 else "grouped Conv"
            shapes += f", dilation {_by(window.dilation)}, groups {operation.groups}"
        shapes += f", stride {_by(window.stride)}, padding {_by(window.padding)}"
    return Geometry(kind, shapes, operation.macs(signature), traffic(signature) + held)


def geometries(program: Program) -> list[Geometry]:
    """The geometry of every operation but Flatten, which moves nothing."""
    return [
        geometry(operation, signature)
        for operation, signature in program.steps
        if not isinstance(operation, Flatten)
    ]


def _by(numbers: Sequence[int]) -> str:
    return "x".join(map(str, numbers))
