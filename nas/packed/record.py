"""How operations of one class are stored."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from nas.packed.fields import Cursor
from nas.program.operations import Operation
from nas.program.tensors import Signature, TensorType

Kind = TypeVar("Kind", bound=Operation)

Inputs = tuple[int, ...]
"""The indices of the sources of an operation."""


@dataclass(frozen=True)
class Written:
    """The fields of an operation as bytes, and the first version of the format that has them."""

    data: bytes
    version: int


@dataclass(frozen=True)
class Record(Generic[Kind]):
    """Writer and reader of one class of operations, apart from their code and their sources.

    `write` takes the newest version of the format that may be needed, and, for a layer whose weights
    an earlier one has, how many layers before that is, else 0. `read` takes the indices of
    the sources and the type of the first, and returns the operation and the type of its result,
    whose shape does not count: the operation determines it. `plain_bytes` is the length of a record
    with uncompressed arrays, and takes the latter too; None if no array is ever compressed. `version` is the first version of
    the format with such operations.
    """

    kind: type[Kind]
    write: Callable[[Kind, Signature, int, int], Written]
    read: Callable[[Cursor, Inputs, TensorType], tuple[Kind, TensorType]]
    plain_bytes: Callable[[Kind, Signature, int], int] | None = None
    version: int = 1

    def flash_bytes(self, operation: Kind, signature: Signature, again: int) -> int:
        """The length of the record with uncompressed arrays; `again` is as for `write`."""
        if self.plain_bytes is None:
            return len(self.write(operation, signature, self.version, again).data)
        return self.plain_bytes(operation, signature, again)


def of_one_version(
    kind: type[Kind],
    write: Callable[[Kind, Signature], bytes],
    read: Callable[[Cursor, Inputs, TensorType], tuple[Kind, TensorType]],
    plain_bytes: Callable[[Kind, Signature], int] | None = None,
    version: int = 1,
) -> Record[Kind]:
    """The record of operations that need no later version than their kind, whatever they hold."""

    def written(operation: Kind, signature: Signature, _: int, __: int) -> Written:
        return Written(write(operation, signature), version)

    def plain(operation: Kind, signature: Signature, _: int) -> int:
        assert plain_bytes is not None
        return plain_bytes(operation, signature)

    return Record(kind, written, read, plain if plain_bytes else None, version)
