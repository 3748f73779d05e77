"""Requests answered by an executor of the user's."""

from collections.abc import Iterator
from concurrent.futures import BrokenExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pickle import loads
from typing import Any, Protocol

from nas.executors.executor import Handler, Limit, Setup, Task, Workers, portable


class Submitting(Protocol):
    """What is needed of an executor, as those of `concurrent.futures`, of Dask, MPI or Loky."""

    def submit(self, function: Any, /, *arguments: Any) -> Any:
        """A future of `function(*arguments)`, with `result` and `cancel`."""
        ...


@dataclass(frozen=True)
class Futures:
    """Answers requests by an executor in the manner of `concurrent.futures`, whose `workers` are
    processes; it stays open.

    Each of its processes makes its handler once. How well requests are kept apart, and what ends one that
    never ends, is up to the executor: there is no time limit. One that is broken ends the run, which can be
    resumed with another.

    Raises:
        ValueError: if `workers` is below 1.
    """

    executor: Submitting
    workers: int

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise ValueError(f"workers must be at least 1, but got {self.workers}")

    @contextmanager
    def open(self, setup: Setup) -> Iterator[Workers]:
        """The executor's workers.

        Raises:
            ValueError: if `setup` cannot be sent to them.
        """
        yield _Submitted(self.executor, portable(setup))


@dataclass(frozen=True)
class _Submitted:
    executor: Submitting
    setup: bytes

    def submit(self, request: bytes, limit: Limit) -> Task:  # noqa: ARG002 - left to the executor
        return _Answer(self.executor.submit(answer_once, self.setup, request))


@dataclass(frozen=True)
class _Answer:
    future: Any

    def result(self) -> bytes:
        try:
            found: bytes = self.future.result()
        except BrokenExecutor as error:
            raise RuntimeError(f"the executor must not break, but {error}") from error
        return found

    def cancel(self) -> bool:
        return bool(self.future.cancel())


def answer_once(setup: bytes, request: bytes) -> bytes:
    """The answer to a request, by a handler that is made once in a process, and anew after a request that
    spoils it.
    """
    answer, goes_on = _handler(setup)(request)
    if not goes_on:
        _handler.cache_clear()
    return answer


@lru_cache(maxsize=1)
def _handler(setup: bytes) -> Handler:
    handler: Handler = loads(setup)()  # noqa: S301 - sent by the coordinator
    return handler
