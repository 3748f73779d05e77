"""Tracing: a network as a graph of its layers that says the same, or a refusal by name."""

from nas.tracing.independent import independent_copy
from nas.tracing.own_layers import check_plain, is_plain
from nas.tracing.rewriting import called, module_at, rewriting, traced_again, without_dead_code
from nas.tracing.same_outputs import check_same_outputs, outputs
from nas.tracing.trace import trace
from nas.tracing.transposed import Spread
from nas.tracing.unsupported import UnsupportedError

__all__ = [
    "Spread",
    "UnsupportedError",
    "called",
    "check_plain",
    "check_same_outputs",
    "independent_copy",
    "is_plain",
    "module_at",
    "outputs",
    "rewriting",
    "trace",
    "traced_again",
    "without_dead_code",
]
