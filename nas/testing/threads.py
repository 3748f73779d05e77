"""Single-threaded computation during checks, so that results do not depend on the machine."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from threadpoolctl import threadpool_limits


@contextmanager
def one_thread() -> Iterator[None]:
    """Limits BLAS, OpenMP and, if it has been imported, torch to one thread each."""
    torch = sys.modules.get("torch")
    # Read first, because the limit of OpenMP shows in it.
    threads = torch.get_num_threads() if torch is not None else 1
    with threadpool_limits(limits=1):
        if torch is not None:
            torch.set_num_threads(1)
        try:
            yield
        finally:
            if torch is not None:
                torch.set_num_threads(threads)
