from collections.abc import Iterator

import pytest
import torch
from threadpoolctl import threadpool_info, threadpool_limits

from nas.threads import one_thread


@pytest.fixture(autouse=True)
def _two_threads() -> Iterator[None]:
    threads = torch.get_num_threads()
    with threadpool_limits(limits=2):
        torch.set_num_threads(2)
        yield
    torch.set_num_threads(threads)


def threads() -> tuple[int, list[int]]:
    """Those of torch, and of each BLAS and OpenMP library."""
    return torch.get_num_threads(), [library["num_threads"] for library in threadpool_info()]


def test_torch_blas_and_openmp_run_on_one_thread() -> None:
    before = threads()
    assert before[0] == 2
    with one_thread():
        assert threads() == (1, [1] * len(before[1]))
    assert threads() == before


def test_the_threads_are_restored_after_an_error() -> None:
    before = threads()
    with pytest.raises(ZeroDivisionError), one_thread():
        raise ZeroDivisionError
    assert threads() == before


def test_a_function_can_be_decorated() -> None:
    decorated = one_thread()(threads)
    assert {decorated()[0], *decorated()[1]} == {1}
    assert decorated.__name__ == "threads"
    assert torch.get_num_threads() == 2
