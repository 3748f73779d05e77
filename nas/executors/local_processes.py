"""Requests answered by processes of this machine."""

import os
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from queue import SimpleQueue

from nas.executors.executor import Limit, Setup, Task, Workers, portable
from nas.executors.worker_process import WorkerProcess

PACKAGES = "nas", "compressors", "search_spaces", "strategies", "experiments"

FIRST_STEP = "torch._dynamo"
"""What torch imports at the first step of an optimizer, in two seconds."""


def cores() -> int:
    """How many cores this process may use."""
    # Containers and batch systems allow fewer than the machine has. macOS does not tell.
    allowed = getattr(os, "sched_getaffinity", None)
    return len(allowed(0)) if allowed is not None else os.cpu_count() or 1


@dataclass(frozen=True)
class LocalProcesses:
    """Answers requests in `workers` processes of this machine, which stay for all requests.

    Whatever a request does to its process is its own failure: it ends within its time limit, with all
    that it has started, and a new process takes its place. They end with this process, however it ends.
    What they print is dropped. They import the script that was started, so it must start a search below
    `if __name__ == "__main__":`.

    Raises:
        ValueError: if `workers` is below 1.
    """

    workers: int = field(default_factory=cores)

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise ValueError(f"workers must be at least 1, but got {self.workers}")

    @contextmanager
    def open(self, setup: Setup) -> Iterator[Workers]:
        """The processes; each starts when it is first needed.

        Raises:
            ValueError: if `setup` cannot be sent to them.
        """
        sent = portable(setup)
        # Ours alone: another module may do something when it is imported.
        modules = [name for name in sys.modules if name.partition(".")[0] in PACKAGES]
        if "torch" in sys.modules:
            modules.append(FIRST_STEP)
        pool = _Pool([WorkerProcess(sent, modules) for _ in range(self.workers)])
        try:
            yield pool
        finally:
            pool.close()


class _Pool:
    """A thread for each process, which waits for it."""

    def __init__(self, processes: list[WorkerProcess]) -> None:
        self._processes = processes
        self._threads = ThreadPoolExecutor(len(processes))
        self._idle: SimpleQueue[WorkerProcess] = SimpleQueue()
        for process in processes:
            self._idle.put(process)

    def submit(self, request: bytes, limit: Limit) -> Task:
        return self._threads.submit(self._answer, request, limit)

    def _answer(self, request: bytes, limit: Limit) -> bytes:
        process = self._idle.get()
        try:
            return process.answer(request, limit)
        finally:
            self._idle.put(process)

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
        for process in self._processes:
            process.close()
        self._threads.shutdown()
