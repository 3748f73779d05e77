"""What writes one operation as C."""

from collections.abc import Callable, Sequence
from typing import Any

from nas.c.orders import Order
from nas.c.source import Source
from nas.program.operations import Operation
from nas.program.tensors import Signature

Writer = Callable[[Source, Any, Signature, Sequence[Order]], list[str]]
"""Takes the source to add tables and kernels to, the operation, the types of its tensors, and the
orders of those that it reads; returns the lines that compute it. These find the sources as `in0`,
`in1`, …, and the result as `out`.
"""

Writers = dict[type[Operation], Writer]
