"""The protocol of executors."""

import pickle
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol

Handler = Callable[[bytes], tuple[bytes, bool]]
"""Gives the answer to a request, and whether the process is still fit to answer another one."""

Setup = Callable[[], Handler]
"""Makes a handler, once in each worker. Importable by name, and so is all that it holds, if workers are
other processes.
"""

Limit = Callable[[], float]
"""The seconds that an answer may take, asked again while it is waited for."""


class UnansweredError(Exception):
    """A request that ended its worker, or took too long; the message is the reason."""


class Task(Protocol):
    """A request that was submitted; what `concurrent.futures.Future` has of it."""

    def result(self) -> bytes:
        """Waits for the answer.

        Raises:
            UnansweredError: if there will be none, because of this request.
            RuntimeError: if there will be none, for a reason that others share.
        """
        ...

    def cancel(self) -> bool:
        """Withdraws the request if no worker has begun it; returns whether it did."""
        ...


class Workers(Protocol):
    """Workers that have one setup in common."""

    def submit(self, request: bytes, limit: Limit) -> Task:
        """Has a worker answer; requests are begun in the order in which they are submitted."""
        ...


class Executor(Protocol):
    """Opens workers; `workers` is how many requests are answered at a time."""

    @property
    def workers(self) -> int: ...  # noqa: D102 - described above

    def open(self, setup: Setup) -> AbstractContextManager[Workers]:
        """The workers; none is left when they are closed, whatever they were doing.

        Raises:
            ValueError: if workers are other processes, to which `setup` cannot be sent.
        """
        ...


def portable(setup: Setup) -> bytes:
    """A setup as it is sent to another process; nothing of the kind is ever stored.

    Raises:
        ValueError: if it cannot be sent.
    """
    try:
        return pickle.dumps(setup)
    except Exception as error:  # a part can raise anything while it is pickled
        raise ValueError(
            "what is searched must be picklable to be sent to other processes, "
            f"but {type(error).__name__}: {error}. Define classes and functions at the top of a module, not "
            "inside of functions; or give `run` a `source`, a function at the top of a module that makes the "
            "experiment; or use the executor InProcess()"
        ) from error
