"""Where every byte of a stored network goes."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import nn

from nas.measure.operations import Operation, Stored, stored_bytes

HEADER_BYTES = 16
"""Magic number, version, lengths and checksum."""

OPERATION_BYTES = 16
"""One record an operation: its code, operands, channels, kernel, stride, padding, groups and bit-widths."""


@dataclass(frozen=True)
class Entry:
    """So many bytes of a layer for one purpose."""

    layer: str
    purpose: str
    bytes: int


def ledger(model: nn.Module, steps: Sequence[Operation]) -> tuple[Entry, ...]:
    """All entries of the stored network: header, operations, and each layer's weights, scales and biases.

    An operation that works in place on the result of another is part of that one's record. Every entry begins on a whole
    byte, a module that is used twice is stored once, and no entropy coding is counted.
    """
    entries = [Entry("", "header", HEADER_BYTES)]
    written = set[str]()
    for step in steps:
        if not (step.in_place and len(step.inputs) == 1):
            entries.append(Entry(step.name, "structure", OPERATION_BYTES))
        if step.name not in written:
            entries += [Entry(step.name, purpose, count) for purpose, count in step.stored.items()]
        written.add(step.name)
    # What a layer says of itself holds for its parts too.
    parts = {part for module in model.modules() if isinstance(module, Stored) for part in module.modules() if part is not module}
    for name, module in model.named_modules():
        if name not in written and module not in parts:
            entries += [Entry(name, purpose, count) for purpose, count in stored_bytes(module).items()]
    return tuple(entries)
