"""One thread, so that results do not depend on the cores of a machine."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from threadpoolctl import threadpool_limits


def keep_one_thread() -> None:
    """Has torch and the BLAS and OpenMP libraries run on one thread from now on: in workers, which do
    nothing else.
    """
    threadpool_limits(limits=1)
    if (torch := sys.modules.get("torch")) is not None:
        torch.set_num_threads(1)


@contextmanager
def one_thread() -> Iterator[None]:
    """Runs torch and the BLAS and OpenMP libraries, as far as they are loaded, on one thread, and
    restores their numbers of threads afterwards.

    Sums of floats depend on how they are split among threads. On networks this small a second
    thread gains nothing, and costs much if the cores are busy.
    """
    torch = sys.modules.get("torch")  # not imported, because strategies do without it
    threads = 1 if torch is None else torch.get_num_threads()
    try:
        with threadpool_limits(limits=1):
            if torch is not None:
                torch.set_num_threads(1)
            yield
    finally:
        # Last, because torch and the limits set the same number of OpenMP.
        if torch is not None:
            torch.set_num_threads(threads)
