"""Requests answered by jobs of Slurm."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nas.executors.executor import Limit, Setup, Task, UnansweredError, Workers, portable
from nas.executors.futures import answer_once

LOOK_SECONDS = 0.5
"""So often a job is looked at."""
ENDING_SECONDS = 10.0
"""What cancelled jobs are given to end."""


@dataclass(frozen=True)
class SubmititJobs:
    """Answers each request by a job, through submitit, which the extra `slurm` installs.

    `folder` is on a file system that all machines share; submitit writes what it sends there, and the
    jobs' output. `workers` is how many requests are answered at a time. `cluster` is "slurm", "local" (a process
    of this machine for each request) or "debug" (this process); None: Slurm if there is one, else
    local. `parameters` are those of `submitit.AutoExecutor.update_parameters`, such as `timeout_min`;
    variables such as SBATCH_PARTITION are heeded too.

    A job that ends without an answer is the failure of its request. One that has begun and takes too long
    is cancelled.

    Raises:
        ValueError: if `workers` is below 1.
    """

    folder: Path
    workers: int
    cluster: str | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise ValueError(f"workers must be at least 1, but got {self.workers}")

    @contextmanager
    def open(self, setup: Setup) -> Iterator[Workers]:
        """The jobs; those that are left when this is closed are cancelled.

        Raises:
            ValueError: if submitit is not installed, or `setup` cannot be sent.
        """
        try:
            import submitit
        except ImportError as error:
            raise ValueError(
                "jobs of Slurm need submitit, which must be installed: pip install 'compact-nas[slurm]'"
            ) from error
        executor = submitit.AutoExecutor(self.folder, cluster=self.cluster)
        executor.update_parameters(**self.parameters)
        jobs = _Jobs(executor, portable(setup))
        try:
            yield jobs
        finally:
            jobs.close()


class _Jobs:
    def __init__(self, executor: Any, setup: bytes) -> None:
        self._executor, self._setup = executor, setup
        self.begun = list[_Job]()

    def submit(self, request: bytes, limit: Limit) -> Task:
        job = _Job(self._executor.submit(answer_once, self._setup, request), limit)
        self.begun = [each for each in self.begun if not each.job.done()] + [job]
        return job

    def close(self) -> None:
        for each in self.begun:
            each.cancel()
        deadline = time.monotonic() + ENDING_SECONDS
        while any(not each.job.done() for each in self.begun) and time.monotonic() < deadline:
            time.sleep(LOOK_SECONDS)


@dataclass(frozen=True)
class _Job:
    job: Any
    limit: Limit

    def result(self) -> bytes:
        from submitit.core.utils import FailedJobError, UncompletedJobError

        began = None
        while not self.job.done():
            if began is None and self.job.state != "PENDING":  # a queue takes what it takes
                began = time.monotonic()
            if began is not None and (allowed := self.limit()) < time.monotonic() - began:
                self.cancel()
                raise UnansweredError(f"took longer than {allowed / 60:.3g} minutes")
            time.sleep(LOOK_SECONDS)
        try:
            found: bytes = self.job.result()
        except (FailedJobError, UncompletedJobError) as error:
            raise UnansweredError(
                f"the job ended without an answer: {_last_line(error)}"
            ) from error
        return found

    def cancel(self) -> bool:
        with suppress(Exception):  # it may have ended
            self.job.cancel(check=False)
        return False


def _last_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip(" -\t")]
    return lines[-1][:500] if lines else type(error).__name__
