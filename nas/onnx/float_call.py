"""One call in a float network, as it is written to ONNX."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import fx, nn


@dataclass(frozen=True)
class FloatCall:
    """A node of a traced network whose shapes are known.

    `function` is what it calls: a module, a function, or the name of a method. `inputs` are the
    names of the tensors that it reads, and `sources` their shapes, [N, …].
    """

    node: fx.Node
    function: Any
    inputs: Sequence[str]
    sources: Sequence[tuple[int, ...]]

    @property
    def name(self) -> str:
        """The name of the module, or of the node where there is none."""
        return str(self.node.target) if isinstance(self.function, nn.Module) else self.node.name

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the result, [N, …]."""
        return shape_of(self.node)

    @property
    def arguments(self) -> str:
        """The arguments behind the first, for error messages."""
        return f"{self.node.args[1:]}, {dict(self.node.kwargs)}"


def shape_of(node: fx.Node) -> tuple[int, ...]:
    """The shape of a node's result, [N, …], as ShapeProp found it."""
    return tuple(node.meta["tensor_meta"].shape)
