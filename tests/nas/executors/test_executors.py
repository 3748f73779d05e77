import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest

from nas.executors import Futures, Handler, InProcess
from tests.nas.executors.handlers import handler


def test_in_process_answers_when_it_is_asked_and_in_this_process() -> None:
    seen = list[bytes]()

    def noting() -> Handler:
        def note(request: bytes) -> tuple[bytes, bool]:
            seen.append(request)
            return handler()(request)

        return note

    with InProcess().open(noting) as workers:
        first, second = (workers.submit(b"pid", lambda: 0.0) for _ in range(2))
        assert not seen
        assert second.cancel()
        assert int(first.result()) == os.getpid()
        assert seen == [b"pid"]


def test_any_executor_in_the_manner_of_futures_answers_and_ends_a_run_when_it_breaks() -> None:
    with (
        ProcessPoolExecutor(1, get_context("spawn")) as pool,
        Futures(pool, workers=1).open(handler) as workers,
    ):
        first, second = (int(workers.submit(b"pid", lambda: 0.0).result()) for _ in range(2))
        assert first == second != os.getpid()
        with pytest.raises(RuntimeError, match="the executor must not break, but"):
            workers.submit(b"exit", lambda: 0.0).result()
    with pytest.raises(ValueError, match="workers must be at least 1, but got 0"):
        Futures(pool, workers=0)
