"""The contract of a device."""

import math

from nas.measure.device import Device
from nas.packed import pack
from nas.program.operations import Flatten
from nas.program.program import Program
from nas.program.tensors import TensorType
from nas.testing.networks import untouched
from nas.testing.proposals import require


def check_device(device: Device, program: Program, spread: float = 0.0) -> None:
    """Checks that a device gives latencies that a search can use, by timing `program` and its first
    half.

    Two latencies of one program may differ by a factor of 1 + `spread`: 0 suits a device that
    computes latencies, 1 or more one that measures them.

    Raises:
        AssertionError: at the first violation, with its likely cause.
    """
    name: object = device.name
    require(
        isinstance(name, str) and bool(name),
        f"a device must have a name, but has {name!r}",
        "it is a method without @property",
    )
    packed = pack(program)
    first = _latency(device, program)
    require(
        device.name == name,
        f"a device must keep its name, but {name!r} became {device.name!r}",
        "it counts its calls",
    )
    guess = "it multiplies or clips the arrays of an operation in place"
    require(
        pack(program) == packed, "latency() must leave the program as it is, but changed it", guess
    )
    shorter = _latency(device, _beginning(program))
    again = _latency(device, program)
    breach = f"{name!r} must give one program the same latency within a factor of {1 + spread:g}, but gave {first} and {again}"
    guess = (
        "it measures, and needs a larger `spread` here; or it keeps something from the last program"
    )
    require(max(first, again) <= (1 + spread) * min(first, again), breach, guess)
    breach = f"{name!r} must not be much faster with a whole program, {first}, than with its first half, {shorter}"
    # The first half gets a Flatten, which may take longer than the rest of the program.
    require(
        shorter <= 2 * (1 + spread) * first,
        breach,
        "it leaves operations out, or a term of its sum is negative",
    )


def _latency(device: Device, program: Program) -> float:
    with untouched("latency()"):
        try:
            seconds: object = device.latency(program)
        except Exception as error:
            guess = "perhaps its table lacks an operation"
            raise AssertionError(
                f"latency() must take every program, but raised {error!r}: {guess}"
            ) from error
    breach = f"latency() must return positive and finite seconds, but returned {seconds!r}"
    plain = isinstance(seconds, float)
    require(plain, breach, "it is an array or a tensor, and nothing converted it with float()")
    assert isinstance(seconds, float)
    require(
        0 < seconds < math.inf,
        breach,
        "it divides by a rate of 0, or subtracts more overhead than it measured",
    )
    return seconds


def _beginning(program: Program) -> Program:
    """The first half of the operations, and a Flatten, because an output must be flat."""
    count = max(1, len(program.operations) // 2)
    last = program.tensors[count]
    flat = TensorType((last.size,), last.scale, last.zero, last.bits)
    return Program(
        (*program.tensors[: count + 1], flat),
        (*program.operations[:count], Flatten("flatten", (count,))),
    )
