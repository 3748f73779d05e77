import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nas.executors import LocalProcesses, UnansweredError, Workers
from tests.nas.executors.handlers import broken, ending, handler

ROOT = Path(__file__).parents[3]


def never() -> float:
    return 1e9


def at_once() -> float:
    return 0.1


@pytest.fixture(scope="module")
def one() -> Iterator[Workers]:
    with LocalProcesses(1).open(handler) as workers:
        yield workers


def pid(workers: Workers) -> int:
    return int(workers.submit(b"pid", never).result())


def is_running(process: int) -> bool:
    try:
        status = Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


def is_of(group: int, process: int) -> bool:
    try:
        return os.getpgid(process) == group and is_running(process)
    except ProcessLookupError:
        return False


def ends(is_there: Callable[[], bool]) -> bool:
    """Waits for what is killed, which takes a moment on busy cores."""
    deadline = time.monotonic() + 60
    while is_there() and time.monotonic() < deadline:
        time.sleep(0.05)
    return not is_there()


def test_a_process_stays_over_requests(one: Workers) -> None:
    assert pid(one) == pid(one) != os.getpid()


@pytest.mark.fault(4, 5, 6, 7, 11, 13, 15, 61)
@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (b"exit", "the process ended with status 0"),
        (b"abort", "the process was ended by SIGABRT"),
        (b"segfault", "the process was ended by SIGSEGV"),
        (b"killed", "the process was ended by SIGKILL, as it does for want of memory"),
        (b"sys.exit", "SystemExit: 0"),
        (b"interrupt", "KeyboardInterrupt: "),
        (b"untellable", "UntellableError: a text that cannot be told, because of ValueError"),
        (b"memory", "MemoryError: "),
        (b"grandchild", "the process ended with status 7"),
        (b"junk", "something else was written to the pipe of the worker"),
        (b"late", "something else was written to the pipe of the worker"),
        (b"huge", "the process closed its pipe or answered too much"),
    ],
)
def test_a_request_takes_only_its_own_process_down(
    one: Workers, request_: bytes, reason: str
) -> None:
    before, tasks = pid(one), [one.submit(each, never) for each in (request_, b"pid")]
    with pytest.raises(UnansweredError) as failure:
        tasks[0].result()
    assert str(failure.value) == reason
    assert int(tasks[1].result()) != before
    assert not is_running(before)


@pytest.mark.fault(9, 10)
@pytest.mark.parametrize("request_", [b"loop", b"stopped"])
def test_a_request_that_does_not_end_is_ended(one: Workers, request_: bytes) -> None:
    before = pid(one)
    with pytest.raises(UnansweredError, match=r"took longer than 0\.00167 minutes"):
        one.submit(request_, at_once).result()
    assert not is_running(before)
    assert pid(one) != before


@pytest.mark.fault(11, 65)
def test_what_a_request_has_started_ends_with_it(one: Workers) -> None:
    group = pid(one)
    with pytest.raises(UnansweredError):
        one.submit(b"grandchild", never).result()
    assert ends(lambda: any(is_of(group, int(each.name)) for each in Path("/proc").glob("[0-9]*")))


@pytest.mark.fault(12, 67)
def test_what_a_request_prints_is_dropped_and_what_it_raises_is_cut(one: Workers) -> None:
    assert one.submit(b"flood", never).result() == b"flooded"
    with pytest.raises(UnansweredError) as failure:
        one.submit(b"long", never).result()
    assert len(str(failure.value)) == 2000


def test_a_process_that_says_so_is_replaced(one: Workers) -> None:
    spent = int(one.submit(b"spent", never).result())
    assert pid(one) != spent


def test_what_is_not_begun_can_be_withdrawn_and_what_runs_ends_when_workers_close() -> None:
    with LocalProcesses(1).open(handler) as workers:
        worker = pid(workers)
        workers.submit(b"loop", never)
        time.sleep(0.2)
        assert workers.submit(b"pid", never).cancel()
    assert not is_running(worker)


def test_a_worker_that_cannot_be_made_ends_the_run_with_the_reason() -> None:
    with (
        LocalProcesses(1).open(broken) as workers,
        pytest.raises(RuntimeError, match="a worker must start, but ValueError: there is no data"),
    ):
        workers.submit(b"pid", never).result()
    with (
        LocalProcesses(1).open(ending) as workers,
        pytest.raises(RuntimeError, match="must start, but the process ended with status 3; a scr"),
    ):
        workers.submit(b"pid", never).result()


@pytest.mark.fault(50)
def test_what_cannot_be_sent_is_refused() -> None:
    with (
        pytest.raises(ValueError, match=r"must be picklable .* give `run` a `source`"),
        LocalProcesses(1).open(lambda: handler()),
    ):
        pass
    with pytest.raises(ValueError, match="workers must be at least 1, but got 0"):
        LocalProcesses(0)


PARENT = """
import time
from nas.executors import LocalProcesses
from tests.nas.executors.handlers import handler

if __name__ == "__main__":
    with LocalProcesses(1).open(handler) as workers:
        print(workers.submit(b"pid", lambda: 1e9).result().decode(), flush=True)
        workers.submit(b"loop", lambda: 1e9).result()
"""


@pytest.mark.fault(21)
def test_workers_end_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    (tmp_path / "parent.py").write_text(PARENT)
    parent = subprocess.Popen(
        [sys.executable, str(tmp_path / "parent.py")],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert parent.stdout is not None
    worker = int(parent.stdout.readline())
    time.sleep(0.2)
    assert is_running(worker)
    parent.kill()
    parent.communicate()
    assert ends(lambda: is_running(worker))
