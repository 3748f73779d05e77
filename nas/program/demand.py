"""What a program asks of memory and time on one sample, known before it runs."""

from math import prod

from nas.program.operations import Conv, Layer, Operation, Pool
from nas.program.program import Program
from nas.program.tensors import Signature

BYTES_PER_ELEMENT = 8
"""Sums are 64-bit floats."""
MOST_BYTES = 2**31
"""What a batch may take."""
MOST_STEPS = 2**38
"""What a sample may take, in steps of arithmetic: some minutes on one core."""


def weight_bytes(program: Program) -> int:
    """The bytes of all weights, made ready to run."""
    layers = [each for each in program.operations if isinstance(each, Layer)]
    return BYTES_PER_ELEMENT * sum(each.weights.size for each in layers)


def sample_bytes(program: Program) -> int:
    """The most bytes that one sample takes at a time."""
    alive = zip(program.live_memory, program.steps, strict=True)
    return BYTES_PER_ELEMENT * max(live + _scratch(*step) for live, step in alive)


def sample_steps(program: Program) -> int:
    """How many numbers are multiplied, compared or moved for one sample."""
    return program.macs + sum(_moves(*step) for step in program.steps)


def samples_at_a_time(program: Program, most: int) -> int:
    """How many samples, 1 … `most`, a batch may have to take no more than `MOST_BYTES`."""
    room = MOST_BYTES - weight_bytes(program)
    return max(1, min(most, room // sample_bytes(program)))


def _scratch(operation: Operation, signature: Signature) -> int:
    """The elements that an operation holds besides its tensors: a padded image, or its windows, which
    kernels for 64-bit floats write out.
    """
    if not isinstance(operation, (Conv, Pool)):
        return 0
    window, shape = operation.window, signature.source.shape
    sizes = zip(shape[1:], window.padding, window.ends, strict=True)
    padded = shape[0] * prod(size + before + after for size, before, after in sizes)
    if isinstance(operation, Pool):
        return padded
    return padded + shape[0] * prod(window.kernel) * prod(signature.result.shape[1:])


def _moves(operation: Operation, signature: Signature) -> int:
    reads = prod(operation.window.kernel) if isinstance(operation, Pool) else len(operation.inputs)
    return signature.result.size * reads
