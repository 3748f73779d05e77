"""The integer program: what a trained network computes, in whole numbers only."""

from dataclasses import dataclass
from math import prod

from nas.program.operations import (
    Conv,
    Flatten,
    Linear,
    Operation,
    ProgramError,
    TensorType,
    require,
)
from nas.program.shapes import check


@dataclass(frozen=True, eq=False)
class Program:
    """Tensor 0 is the input and tensor i + 1 the result of operation i; the last one is the output,
    [classes].

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
                check(
                    operation,
                    [self._source(index, source) for source in operation.inputs],
                    self.tensors[index + 1],
                )
            except ProgramError as error:
                raise ProgramError(
                    f"operation {index}, {type(operation).__name__} {operation.name!r}: {error}"
                ) from error
        require(
            len(self.tensors[-1].shape) == 1,
            f"the output must be [classes], but is {self.tensors[-1].shape}",
        )

    def _source(self, index: int, source: int) -> TensorType:
        require(
            0 <= source <= index,
            f"an operation must read earlier tensors, 0 … {index}, but reads {source}",
        )
        return self.tensors[source]

    @property
    def macs(self) -> int:
        """Multiply-accumulates of convolutions and matrix products for one sample."""
        total = 0
        for operation, result in zip(self.operations, self.tensors[1:], strict=True):
            if isinstance(operation, (Conv, Linear)):
                total += result.size * prod(operation.weights.shape[1:])
        return total

    @property
    def peak_memory(self) -> int:
        """The most bytes of tensors, one byte an element, that are alive at once when each is freed
        after its last reader.
        """
        memory = list(range(len(self.tensors)))
        for index, operation in enumerate(self.operations):
            if isinstance(operation, Flatten):
                memory[index + 1] = memory[operation.inputs[0]]  # it moves nothing
        last = {
            memory[source]: index
            for index, operation in enumerate(self.operations)
            for source in operation.inputs
        }
        alive, peak = {0: self.tensors[0].size}, self.tensors[0].size
        for index in range(len(self.operations)):
            alive[memory[index + 1]] = self.tensors[index + 1].size
            peak = max(peak, sum(alive.values()))
            alive = {tensor: size for tensor, size in alive.items() if last.get(tensor, -1) > index}
        return peak
