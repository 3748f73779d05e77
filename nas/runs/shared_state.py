"""What candidates of one process have in common, and none may change."""

import os
import warnings
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from nas.data import Task

_SETTINGS: Mapping[str, tuple[Callable[[], Any], Callable[[Any], Any]]] = {
    "torch.get_default_dtype()": (torch.get_default_dtype, torch.set_default_dtype),
    "torch.is_grad_enabled()": (torch.is_grad_enabled, torch.set_grad_enabled),
    "torch.get_num_threads()": (torch.get_num_threads, torch.set_num_threads),
    "torch.are_deterministic_algorithms_enabled()": (
        torch.are_deterministic_algorithms_enabled,
        torch.use_deterministic_algorithms,
    ),
}
"""Settings of torch that change results: how each is read and set."""


class SharedState:
    """The settings of torch and the samples of a task, as they are now."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._settings = {name: read() for name, (read, _) in _SETTINGS.items()}
        self._versions, self._sums = self._read_versions(), self._read_sums()

    def restored(self, thorough: bool = True) -> str:
        """What was changed since, as text, empty if nothing was. Settings are set back, but samples
        cannot be.

        Samples that were changed by an operation of torch are found at once, others only if the check
        is `thorough`, which reads them all.
        """
        changes = []
        for name, (read, write) in _SETTINGS.items():
            if (found := read()) != (before := self._settings[name]):
                changes.append(f"{name} was {before} and is {found}")
                write(before)
        if self._read_versions() != self._versions or (
            thorough and self._read_sums() != self._sums
        ):
            changes.append("the samples of the task are others")
        return "; ".join(changes)

    def _tensors(self) -> Iterator[Tensor]:
        return _tensors(self._task)

    def _read_versions(self) -> list[int]:
        return [0 if each.is_inference() else each._version for each in self._tensors()]

    def _read_sums(self) -> list[int]:
        return [zlib.crc32(each.contiguous().cpu().numpy().data) for each in self._tensors()]


def is_copy(copy: Task, task: Task) -> bool:
    """Whether a task on another device still has the samples of `task`."""
    pairs = zip(_tensors(copy), _tensors(task), strict=True)
    return copy is task or all(torch.equal(there.cpu(), here) for there, here in pairs)


def _tensors(task: Task) -> Iterator[Tensor]:
    for split in (task.train, task.validation, task.test):
        yield from (split.inputs, split.labels)


@contextmanager
def own_surroundings() -> Iterator[None]:
    """Sets back the environment and the filters of warnings, which libraries change when they are
    imported: so that is no failure of a candidate, and must not be felt by the next one.
    """
    environment, filters = dict(os.environ), [*warnings.filters]
    try:
        yield
    finally:
        if os.environ != environment:
            os.environ.clear()
            os.environ.update(environment)
        if [*warnings.filters] != filters:
            warnings.resetwarnings()  # has warnings look at the filters anew
            warnings.filters[:] = filters  # type: ignore[index]
