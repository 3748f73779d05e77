"""Requests answered by tasks of Ray."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from nas.executors.executor import Limit, Setup, Task, UnansweredError, Workers, portable
from nas.executors.futures import answer_once

LOOK_SECONDS = 0.5
"""So often a task is looked at."""
NODES_LOST = 3
"""A request is begun again so often where the machine that it ran on is lost."""


@dataclass(frozen=True)
class RayTasks:
    """Answers requests by tasks of Ray's core, which the extra `ray` installs.

    `workers` is how many requests are answered at a time. `address` is that of a cluster, "auto" or
    ray://…; None: a Ray of this machine alone is started, and ended when the workers are closed. A task is
    given `cpus` and `gpus`, which may be fractions. Machines of the cluster need the same software.

    A task whose process ends is the failure of its request; one that takes too long is cancelled with
    its process; one whose machine is lost is begun again.

    Raises:
        ValueError: if `workers` is below 1.
    """

    workers: int
    address: str | None = None
    cpus: float = 1.0
    gpus: float = 0.0

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise ValueError(f"workers must be at least 1, but got {self.workers}")

    @contextmanager
    def open(self, setup: Setup) -> Iterator[Workers]:
        """The tasks; those that are left when this is closed are cancelled.

        Raises:
            ValueError: if Ray is not installed, or `setup` cannot be sent.
        """
        try:
            import ray
        except ImportError as error:
            raise ValueError(
                "tasks of Ray need Ray, which must be installed: pip install 'compact-nas[ray]'"
            ) from error
        sent = portable(setup)
        local = {"num_cpus": self.workers, "include_dashboard": False}
        ray.init(
            address=self.address, log_to_driver=False, **(local if self.address is None else {})
        )
        tasks = _Tasks(ray, ray.put(sent), self)
        try:
            yield tasks
        finally:
            tasks.close()
            ray.shutdown()


class _Tasks:
    def __init__(self, ray: Any, setup: Any, resources: RayTasks) -> None:
        self.ray, self._setup, self._left = ray, setup, list[_RayTask]()
        # Of a crash it is not known whether the next attempt would end in one too.
        settings = {"num_cpus": resources.cpus, "num_gpus": resources.gpus, "max_retries": 0}
        self._answer = ray.remote(**settings)(answer_once)

    def submit(self, request: bytes, limit: Limit) -> Task:
        task = _RayTask(self, request, limit)
        self._left.append(task)
        return task

    def begin(self, request: bytes) -> Any:
        return self._answer.remote(self._setup, request)

    def close(self) -> None:
        for task in self._left:
            task.cancel()


class _RayTask:
    def __init__(self, tasks: _Tasks, request: bytes, limit: Limit) -> None:
        self._tasks, self._request, self._limit = tasks, request, limit
        self._reference = tasks.begin(request)

    def result(self) -> bytes:
        errors = self._tasks.ray.exceptions
        for _ in range(NODES_LOST):
            try:
                return self._awaited()
            except errors.NodeDiedError:
                self._reference = self._tasks.begin(self._request)
            except errors.RayError as error:
                raise UnansweredError(_reason(error)) from error
        raise RuntimeError(f"Ray must keep its machines, but lost {NODES_LOST} in a row")

    def _awaited(self) -> bytes:
        began = time.monotonic()
        while True:
            try:
                found: bytes = self._tasks.ray.get(self._reference, timeout=LOOK_SECONDS)
            except self._tasks.ray.exceptions.GetTimeoutError:
                if (allowed := self._limit()) < time.monotonic() - began:
                    self.cancel()
                    raise UnansweredError(f"took longer than {allowed / 60:.3g} minutes") from None
            else:
                return found

    def cancel(self) -> bool:
        self._tasks.ray.cancel(self._reference, force=True)
        return False


def _reason(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[-1] if lines else ''}"[:500]
