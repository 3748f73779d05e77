"""Jobs of submitit on this machine, and tasks of a Ray that is started here; where they are installed."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nas.executors import Executor, RayTasks, SubmititJobs, UnansweredError, Workers
from tests.nas.executors.handlers import handler

Made = Callable[[Path], Executor]
KINDS: dict[str, Made] = {
    "submitit": lambda folder: SubmititJobs(folder, 1, "local"),
    "ray": lambda folder: RayTasks(1),
}


def never() -> float:
    return 1e9


@pytest.fixture(scope="module", params=KINDS)
def workers(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Workers]:
    pytest.importorskip(request.param)
    with KINDS[request.param](tmp_path_factory.mktemp("jobs")).open(handler) as opened:
        yield opened


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_requests_are_answered_and_one_that_ends_its_process_has_failed(workers: Workers) -> None:
    assert int(workers.submit(b"pid", never).result()) > 0
    for bad in (b"exit", b"untellable"):
        with pytest.raises(UnansweredError):
            workers.submit(bad, never).result()
    assert int(workers.submit(b"pid", never).result()) > 0


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_request_that_never_ends_is_cancelled(workers: Workers) -> None:
    with pytest.raises(UnansweredError, match="took longer than"):
        workers.submit(b"sleep", lambda: 0.5).result()


@pytest.mark.parametrize("executor", [SubmititJobs, RayTasks])
def test_there_is_at_least_one_worker(executor: Callable[..., Executor], tmp_path: Path) -> None:
    given = {"folder": tmp_path} if executor is SubmititJobs else {}
    with pytest.raises(ValueError, match="workers must be at least 1, but got 0"):
        executor(workers=0, **given)
