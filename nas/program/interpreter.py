"""Running an integer program on batches, exactly."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nas.data.task import Split, check_split
from nas.program.demand import samples_at_a_time
from nas.program.operations import Operation, Requantized
from nas.program.program import Program
from nas.program.rounding import Rounding, check_rounding
from nas.quality import QUALITIES, TaskKind, taken_for

# Sums are scaled as 64-bit floats, twice the bytes of a network in floats: larger batches no longer
# fit the caches. A GPU has other bounds, and each call costs it as much as many samples.
BATCH = 64
ACCELERATED_BATCH = 1024


class Interpreter:
    """A program compiled to run on `device`, a CPU or a GPU with 64-bit floats, as runtimes that round by
    `rounding` run it; results do not depend on the device, the batch, the order of sums or the number
    of threads.

    Tensors are held as q - zero in floats, which represent such integers, and the sums of their
    products, exactly.

    Raises:
        ValueError: if there is no such rounding.
    """

    def __init__(
        self,
        program: Program,
        rounding: Rounding = "single",
        device: torch.device | str = "cpu",
    ) -> None:
        check_rounding(rounding)
        self._program = program
        with torch.device(device):
            self._kernels = [
                _rounding(operation, rounding).compiled(signature)
                for operation, signature in program.steps
            ]
        self._last = {
            source: index
            for index, operation in enumerate(program.operations)
            for source in operation.inputs
        }

    def tensors(self, inputs: Tensor) -> Iterator[Tensor]:
        """The integers of each tensor of the program less its zero point, in floats, in their order, the
        input first, for inputs float32 [N, …].
        """
        first = self._program.tensors[0]
        # A tensor, because a GPU multiplies by the inverse of a number, which rounds differently.
        scale = torch.full((), first.scale, dtype=inputs.dtype, device=inputs.device)
        held = {0: inputs.div(scale).round_().clamp_(-first.zero, first.top - first.zero)}
        yield held[0]
        for index, (operation, kernel) in enumerate(
            zip(self._program.operations, self._kernels, strict=True)
        ):
            result = kernel(*(held[source] for source in operation.inputs))
            held[index + 1] = result
            held = {
                tensor: value
                for tensor, value in held.items()
                if self._last.get(tensor, -1) > index
            }
            yield result

    def integers(self, inputs: Tensor) -> Tensor:
        """The output's integers, int64 [N, classes], for inputs float32 [N, …]."""
        for value in self.tensors(inputs):
            output = value
        return output.to(torch.int64) + self._program.tensors[-1].zero

    def __call__(self, inputs: Tensor) -> Tensor:
        """The logits that the output's integers stand for, float32 [N, classes]."""
        output = self._program.tensors[-1]
        return (self.integers(inputs) - output.zero).to(torch.float32) * output.scale


def _rounding(operation: Operation, rounding: Rounding) -> Operation:
    if not isinstance(operation, Requantized):
        return operation
    return replace(operation, scaling=replace(operation.scaling, rounding=rounding))


def logits(
    program: Program, inputs: Tensor, batch: int | None = None, rounding: Rounding = "single"
) -> NDArray[np.float32]:
    """The logits of all inputs, float32 [N, classes], under a rule of rounding, computed where the
    inputs are, in batches of `batch` (None: as many as are fast there), and of fewer where samples are large.
    """
    return np.concatenate([*_logits(program, inputs, batch, rounding)])


def _logits(
    program: Program, inputs: Tensor, batch: int | None, rounding: Rounding
) -> Iterator[NDArray[np.float32]]:
    if inputs.device.type == "mps":  # which has no 64-bit floats
        inputs = inputs.cpu()
    fast = BATCH if inputs.device.type == "cpu" else ACCELERATED_BATCH
    run = Interpreter(program, rounding, inputs.device)
    with torch.inference_mode():
        for part in torch.split(inputs, samples_at_a_time(program, batch or fast)):
            yield run(part).cpu().numpy()


def score(
    program: Program,
    split: Split,
    subject: str = "the samples to score",
    rounding: Rounding = "single",
) -> float:
    """The share of samples, 0 to 1, whose highest logit is that of their label, or whose one logit is
    above 0 if their label is 1 and else not, under a rule of rounding; `subject` names the samples in
    messages.

    Raises:
        ValueError: if inputs are not finite or of another shape than the program's, or a label is
            not that of one of its classes.
    """
    width = program.tensors[-1].size
    _check_samples(program, split, "binary" if width == 1 else "classification", subject)
    # One batch after another, because a damaged file may have millions of classes.
    chosen = [taken_for(part) for part in _logits(program, split.inputs, None, rounding)]
    right = np.concatenate(chosen) == split.labels.cpu().numpy()
    return int(right.sum()) / len(split.labels)


def qualities(
    program: Program,
    split: Split,
    names: Sequence[str],
    kind: TaskKind = "classification",
    subject: str = "the samples to score",
    rounding: Rounding = "single",
) -> dict[str, float]:
    """The metrics of these `names`, of `nas.quality.QUALITIES`, of the outputs that a program's integers
    stand for, on samples of a task of this kind, under a rule of rounding.

    Raises:
        ValueError: if inputs are not finite or of another shape than the program's, or labels are
            not those of its classes, or targets not as many as its outputs.
    """
    _check_samples(program, split, kind, subject)
    if [*names] == ["accuracy"]:
        return {"accuracy": score(program, split, subject, rounding)}
    outputs = logits(program, split.inputs, rounding=rounding).astype(np.float64)
    labels = split.labels.cpu().numpy()
    return {name: QUALITIES[name].measured(outputs, labels) for name in names}


def _check_samples(program: Program, split: Split, kind: TaskKind, subject: str) -> None:
    shape, found = program.tensors[0].shape, tuple(split.inputs.shape[1:])
    if found != shape:
        raise ValueError(f"{subject} must be {shape} as the program reads them, but are {found}")
    width = program.tensors[-1].size
    classes = {"classification": width, "binary": 2, "regression": 0}[kind]
    check_split(subject, split, classes, kind)
    wanted = {"classification": width, "binary": 1}.get(kind, split.labels[0].numel())
    if wanted != width:
        raise ValueError(
            f"{subject} must have {width} outputs, as the program, but are of a {kind} with {wanted}"
        )
