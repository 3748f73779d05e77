"""Requests answered in this process."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from nas.executors.executor import Handler, Limit, Setup, Task, Workers


@dataclass(frozen=True)
class InProcess:
    """Answers requests in this process, each when its answer is waited for: to debug, and where
    nothing is gained by other processes.

    There is no time limit, and what ends a process ends this one.
    """

    workers: int = 1

    @contextmanager
    def open(self, setup: Setup) -> Iterator[Workers]:
        """This process."""
        yield _ThisProcess(setup)


class _ThisProcess:
    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._handler: Handler | None = None

    def submit(self, request: bytes, limit: Limit) -> Task:  # noqa: ARG002 - there is none
        return _Deferred(self, request)

    def answer(self, request: bytes) -> bytes:
        if self._handler is None:
            self._handler = self._setup()
        return self._handler(request)[0]


@dataclass(frozen=True)
class _Deferred:
    process: _ThisProcess
    request: bytes

    def result(self) -> bytes:
        return self.process.answer(self.request)

    def cancel(self) -> bool:
        return True
