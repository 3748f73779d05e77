"""The integer program: what a trained network computes, in integers only."""

from dataclasses import dataclass
from functools import cached_property
from math import prod

from nas.program.operations import Conv, Flatten, Operation, Reshape, Spread
from nas.program.tensors import ProgramError, Signature, TensorType, require


@dataclass(frozen=True, eq=False)
class Program:
    """Tensors and the operations between them: tensor 0 is the input and tensor i + 1 the result of
    operation i; the last one is the output, [classes].

    Raises:
        ProgramError: if an operation does not fit its tensors.
    """

    tensors: tuple[TensorType, ...]
    operations: tuple[Operation, ...]

    def __post_init__(self) -> None:
        require(
            len(self.tensors) == len(self.operations) + 1 and len(self.operations) > 0,
            "a program needs one tensor more than operations",
        )
        for index, operation in enumerate(self.operations):
            try:
                for source in operation.inputs:
                    require(
                        0 <= source <= index,
                        f"an operation must read earlier tensors, 0 … {index}, but reads {source}",
                    )
                operation.check(self.signature(index))
            except ProgramError as error:
                raise ProgramError(
                    f"operation {index}, {type(operation).__name__} {operation.name!r}: {error}"
                ) from error
        require(
            len(self.tensors[-1].shape) == 1,
            f"the output must be [classes], but is {self.tensors[-1].shape}",
        )

    def signature(self, index: int) -> Signature:
        """The types of the tensors that an operation reads, and of its result."""
        sources = [self.tensors[source] for source in self.operations[index].inputs]
        return Signature(sources, self.tensors[index + 1])

    @cached_property
    def steps(self) -> list[tuple[Operation, Signature]]:
        """Each operation with its signature, in order."""
        return [(operation, self.signature(i)) for i, operation in enumerate(self.operations)]

    @property
    def macs(self) -> int:
        """Multiply-accumulates of convolutions and matrix products for one sample, without those of
        the zeros that a Spread adds: each pixel that it reads is multiplied with the whole kernel.
        """
        total = 0
        for operation, signature in self.steps:
            source = operation.inputs[0] - 1
            spread = self.operations[source] if source >= 0 else None
            if isinstance(operation, Conv) and isinstance(spread, Spread):
                total += operation.weights.size * prod(self.signature(source).source.shape[1:])
            else:
                total += operation.macs(signature)
        return total

    @property
    def peak_memory(self) -> int:
        """The most bytes of tensors alive at once, one byte an element whatever its bits, when each is
        freed after its last reader.
        """
        return max(self.tensors[0].size, *self.live_memory)

    @property
    def live_memory(self) -> list[int]:
        """The bytes of tensors alive while each operation runs."""
        memory = list(range(len(self.tensors)))
        for index, operation in enumerate(self.operations):
            if isinstance(operation, (Flatten, Reshape)):
                memory[index + 1] = memory[operation.inputs[0]]  # a view
        last = {
            memory[source]: index
            for index, operation in enumerate(self.operations)
            for source in operation.inputs
        }
        alive, live = {0: self.tensors[0].size}, list[int]()
        for index in range(len(self.operations)):
            alive[memory[index + 1]] = self.tensors[index + 1].size
            live.append(sum(alive.values()))
            alive = {tensor: size for tensor, size in alive.items() if last.get(tensor, -1) > index}
        return live
