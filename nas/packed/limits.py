"""What a packed file may ask of the memory of its reader."""

from math import prod

from nas.packed.layout import MAX_ELEMENTS, MAX_WINDOW, at_most
from nas.program.demand import MOST_BYTES, MOST_STEPS, sample_bytes, sample_steps, weight_bytes
from nas.program.operations import Conv, Operation, Pool
from nas.program.program import Program
from nas.program.tensors import Signature


def check_sizes(operation: Operation, signature: Signature) -> None:
    """Refuses an operation that would take too much memory to compute.

    Raises:
        ArtifactError: with the limit and what was found.
    """
    at_most("the elements of a tensor", signature.result.size, MAX_ELEMENTS)
    if isinstance(operation, (Conv, Pool)):
        window, source = operation.window, signature.source.shape
        at_most(
            "kernel, stride, padding and dilation",
            max(*window.kernel, *window.stride, *window.ends, *window.dilation),
            MAX_WINDOW,
        )
        padded = source[0] * prod(
            size + padding + end
            for size, padding, end in zip(source[1:], window.padding, window.ends, strict=True)
        )
        at_most("the elements of a padded tensor", padded, MAX_ELEMENTS)


def check_demand(program: Program) -> None:
    """Refuses a program that would take too much memory or time to run on one sample.

    Raises:
        ArtifactError: with the limit and what was found.
    """
    needed = weight_bytes(program) + sample_bytes(program)
    at_most("the bytes that a sample takes when the program runs", needed, MOST_BYTES)
    at_most("the steps that a sample takes", sample_steps(program), MOST_STEPS)
