"""Signals that third-party code does not swallow."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

ENDING = signal.SIGINT, signal.SIGTERM


@contextmanager
def noticed_signals() -> Iterator[Callable[[], None]]:
    """Notes each signal to end that arrives, besides what is done at it, and yields a function that
    does that again if there was one.

    A handler raises an exception, which a bare `except:`, as in the dependency graph of Torch-Pruning,
    takes for one of its own. Called before a result is believed, the function raises it again. Outside
    of the main thread, where no signals arrive, it does nothing.
    """
    arrived: list[int] = []
    before = {number: signal.getsignal(number) for number in ENDING}
    # What is ignored, or ends the process at once, stays so.
    handlers = {number: handler for number, handler in before.items() if callable(handler)}
    if threading.current_thread() is not threading.main_thread():
        handlers = {}

    def notice(number: int, frame: FrameType | None) -> None:
        arrived.append(number)
        handlers[signal.Signals(number)](number, frame)

    def check() -> None:
        if arrived:
            notice(arrived[-1], None)

    for number in handlers:
        signal.signal(number, notice)
    try:
        yield check
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
