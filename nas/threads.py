"""One thread, so that results do not depend on the cores of a machine."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from threadpoolctl import threadpool_limits


@contextmanager
def one_thread() -> Iterator[None]:
    """Runs torch and the BLAS and OpenMP libraries that are loaded on one thread, and restores their
    numbers of threads afterwards.

    Sums of floats depend on how they are split among threads. On networks this small a second
    thread gains nothing, and costs much where the cores are busy.
    """
    threads = torch.get_num_threads()
    try:
        with threadpool_limits(limits=1):
            torch.set_num_threads(1)
            yield
    finally:
        # Last, because torch and the limits set the same number of OpenMP.
        torch.set_num_threads(threads)
