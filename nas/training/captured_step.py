"""A training step as a CUDA graph: recorded once, and launched as one.

A small network has some hundred kernels a step, each of which takes a GPU less time than the processor
takes to launch it.
"""

import random
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

Step = Callable[[Tensor, Tensor], None]
"""Trains on a batch: the positions of its samples, [n], and what was drawn for them, [n, …]."""

WARM_UP = 3
"""Steps before one is recorded: what is made at first, such as the state of an optimizer, is there then."""
FEWEST = 20
"""Trainings of fewer steps are not worth a recording."""


def pays(device: torch.device, steps: int) -> bool:
    """Whether a training of so many steps is recorded."""
    return device.type == "cuda" and steps >= FEWEST


_SYNCHRONIZED = "called a synchronizing CUDA operation"


class CapturedStep:
    """Runs `step` as it is at first, then as a graph for each number of samples in a batch.

    A graph repeats what was recorded, so that a step must do the same each time: it is not recorded if
    it waits for the GPU, as whatever reads a number from it does, or draws from a generator of the
    processor. All that it changes must be changed in place.
    """

    def __init__(self, step: Step) -> None:
        self._step, self._steps, self._records = step, 0, True
        self._stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        self._pool = torch.cuda.graph_pool_handle()
        self._graphs: dict[int, tuple[torch.cuda.CUDAGraph, Tensor, Tensor]] = {}

    @property
    def recorded(self) -> bool:
        """Whether there is a graph."""
        return bool(self._graphs)

    def __call__(self, index: Tensor, drawn: Tensor) -> None:
        """One step."""
        self._steps += 1
        if self._steps <= WARM_UP:
            with self._beside():
                if self._steps < WARM_UP:
                    self._step(index, drawn)
                else:
                    self._records = _repeats(lambda: self._step(index, drawn))
        elif self._records and (len(index) in self._graphs or self._record(index, drawn)):
            graph, index_of_graph, drawn_of_graph = self._graphs[len(index)]
            index_of_graph.copy_(index)
            drawn_of_graph.copy_(drawn)
            graph.replay()
        else:
            self._step(index, drawn)

    def _record(self, index: Tensor, drawn: Tensor) -> bool:
        """Whether the step could be recorded for as many samples; it is not run."""
        graph, inputs = torch.cuda.CUDAGraph(), (index.clone(), drawn.clone())
        try:
            with torch.cuda.graph(graph, pool=self._pool, stream=self._stream):
                self._step(*inputs)
        except RuntimeError:  # where a network does what no graph can; it is run as it is then
            self._records = False
            torch.cuda.synchronize()
            return False
        self._graphs[len(index)] = graph, *inputs
        return True

    @contextmanager
    def _beside(self) -> Iterator[None]:
        """Work on the stream that is recorded, after what was asked for before, and before what comes."""
        self._stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self._stream):
            yield
        torch.cuda.current_stream().wait_stream(self._stream)


def _repeats(step: Callable[[], None]) -> bool:
    """Runs a step, and says whether it neither waits for the GPU nor draws from the processor's generators."""
    drawn, before = random.getstate(), torch.cuda.get_sync_debug_mode()
    state = torch.get_rng_state()
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        try:
            step()
        finally:
            torch.cuda.set_sync_debug_mode(before)
    waited = any(_SYNCHRONIZED in str(each.message) for each in said)
    return not waited and random.getstate() == drawn and torch.equal(torch.get_rng_state(), state)
