"""A process that answers one request after another, and that a request can only take itself down with.

Not of a library: pebble's pool, which has time limits too, ends the process alone and not what it has
started, and has all workers read and write one pipe under a lock, which one that is stopped keeps.
"""

import os
import signal
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing import get_context, resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

from nas.executors import worker_main
from nas.executors.executor import Limit, UnansweredError
from nas.executors.worker_main import FAILED, FRAME, READY, SPENT, serve

MOST_BYTES = 2**30
"""The longest answer that is read."""
LOOK_SECONDS = 0.5
"""So often is looked whether a process still lives and has time."""


class WorkerProcess:
    """A process that is started when it is needed, and again after it has ended.

    `setup` is a `Setup` as `portable` makes it, and `preload` names modules that it needs. Threads may
    use it one after the other; `close` is for any thread, at any time.
    """

    def __init__(self, setup: bytes, preload: Sequence[str] = ()) -> None:
        self._setup, self._preload = setup, preload
        self._lock, self._closed = threading.Lock(), False
        self._process: BaseProcess | None = None
        self._pipe: Connection
        self._number = 0

    def answer(self, request: bytes, limit: Limit) -> bytes:
        """The answer to a request, within `limit`.

        Raises:
            UnansweredError: if the process ended instead, the handler raised, or the time was over.
            RuntimeError: if no process could be made ready, or this was closed.
            OSError: if none could be started.
        """
        self._make_ready()
        self._number += 1
        try:
            self._send(request)
            verdict, content = self._receive(limit)
        except (UnansweredError, RuntimeError):
            self._kill()
            raise
        if verdict == FAILED:
            self._kill()
            raise UnansweredError(content.decode())
        if verdict == SPENT:
            self._kill()
        return content

    def close(self) -> None:
        """Ends the process, and lets no other one start."""
        with self._lock:
            self._closed = True
        self._end()  # whoever waits for an answer closes the pipe

    def _make_ready(self) -> None:
        if self._process is not None and self._process.is_alive():
            return
        self._kill()
        self._number = 0
        # Forked from a server that has done nothing but import, which takes a twentieth of the time
        # that it takes to import torch again, after each candidate that ends its process.
        context = get_context("forkserver")
        context.set_forkserver_preload([*self._preload])
        self._pipe, theirs = context.Pipe()
        process = context.Process(target=serve, args=(theirs, worker_main.__file__))
        with self._lock:
            self._check_open()
            resource_tracker.ensure_running()  # which would undo the mask
            # The terminal's interrupt must not meet a process that is not yet in its own group.
            before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
            try:
                process.start()
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, before)
            self._process = process
        theirs.close()
        try:
            self._send(self._setup)
            verdict, content = self._receive(lambda: float("inf"))
        except UnansweredError as error:
            raise RuntimeError(
                f"a worker must start, but {error}; a script must start a search below "
                'if __name__ == "__main__":'
            ) from error
        if verdict != READY:
            raise RuntimeError(f"a worker must start, but {content.decode()}")

    def _send(self, data: bytes) -> None:
        with suppress(OSError):  # `_receive` tells why
            self._pipe.send_bytes(data)

    def _receive(self, limit: Limit) -> tuple[int, bytes]:
        began = time.monotonic()
        try:
            # Not the end of the pipe alone: what a candidate started may hold it open.
            while not self._pipe.poll(LOOK_SECONDS):
                if (allowed := limit()) < time.monotonic() - began:
                    raise UnansweredError(f"took longer than {allowed / 60:.3g} minutes")
                if not self._alive() and not self._pipe.poll():
                    raise EOFError
            data = self._pipe.recv_bytes(MOST_BYTES)
        except (EOFError, OSError) as error:
            self._check_open()
            raise UnansweredError(self._ending()) from error
        if len(data) < FRAME.size or FRAME.unpack_from(data)[0] != self._number:
            raise UnansweredError("something else was written to the pipe of the worker")
        return FRAME.unpack_from(data)[1], data[FRAME.size :]

    def _alive(self) -> bool:
        return self._process is not None and self._process.is_alive()

    def _check_open(self) -> None:
        if self._closed:
            raise RuntimeError("the workers are closed")

    def _ending(self) -> str:
        """How the process ended."""
        process = self._process
        if process is None:
            return "the process ended"
        process.join(LOOK_SECONDS)
        code = process.exitcode
        if code is None:
            return "the process closed its pipe or answered too much"
        if code >= 0:
            return f"the process ended with status {code}"
        name = signal.Signals(-code).name
        why = ", as it does for want of memory" if name == "SIGKILL" else ""
        return f"the process was ended by {name}{why}"

    def _kill(self) -> None:
        if self._end():
            self._pipe.close()

    def _end(self) -> bool:
        """Whether there was a process to end."""
        with self._lock:
            process, self._process = self._process, None
        if process is None or process.pid is None:
            return False
        # Its whole group, which may outlive it.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.kill()
        process.join()
        return True
