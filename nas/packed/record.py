"""How operations of one class are stored."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from nas.packed.fields import Cursor
from nas.program.operations import Operation
from nas.program.tensors import Signature, TensorType

Kind = TypeVar("Kind", bound=Operation)


@dataclass(frozen=True)
class Record(Generic[Kind]):
    """Writer and reader of one class of operations, from behind the indices of the sources.

    `read` is given these indices and the type of the first source. It returns the operation and the
    type of its result, of whatever shape: that follows from the operation. `plain_bytes` is the
    length of what `write` returns if arrays were not compressed; None where they never are.
    `version` is that of the first format with such operations.
    """

    kind: type[Kind]
    write: Callable[[Kind, Signature], bytes]
    read: Callable[[Cursor, tuple[int, ...], TensorType], tuple[Kind, TensorType]]
    plain_bytes: Callable[[Kind, Signature], int] | None = None
    version: int = 1

    def flash_bytes(self, operation: Kind, signature: Signature) -> int:
        """The length of a record whose arrays are not compressed."""
        if self.plain_bytes is None:
            return len(self.write(operation, signature))
        return self.plain_bytes(operation, signature)
