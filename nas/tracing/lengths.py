"""The length of traced tensors: Python's `len` accepts whole numbers alone, not a value of a graph."""

import builtins
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import fx, nn


@contextmanager
def traced_lengths(model: nn.Module) -> Iterator[None]:
    """A context in which `len(x)` of a traced tensor is `x.size(0)` in the files that define the classes
    of a network: they see another `len`, as torch.fx.wrap would give them.
    """
    files = {type(module).__module__ for module in model.modules()} & sys.modules.keys()
    own = [vars(sys.modules[name]) for name in files if not name.startswith("torch.")]
    changed = [names for names in own if "len" not in names]
    for names in changed:
        names["len"] = _length
    try:
        yield
    finally:
        for names in changed:
            del names["len"]


_builtin: Callable[[Any], int] = builtins.len


def _length(value: Any) -> Any:
    if not isinstance(value, fx.Proxy):
        return _builtin(value)
    try:
        return _builtin(value)  # the number of parts of a tensor that is cut
    except RuntimeError:
        return value.size(0)
