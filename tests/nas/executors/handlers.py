"""Requests that do something to the process that answers them."""

import ctypes
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from nas.executors import Handler
from nas.executors.worker_main import FRAME, GOES_ON


class UntellableError(Exception):
    def __str__(self) -> str:
        raise ValueError("no text")


def _raise(error: BaseException) -> bytes:
    raise error


def _loop() -> bytes:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    while True:
        pass


def _grandchild() -> bytes:
    """Starts a process that holds on to everything, and ends without an answer."""
    if os.fork() == 0:
        time.sleep(600)
    os._exit(7)


def _out_of_memory() -> bytes:
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    resource.setrlimit(resource.RLIMIT_AS, (2**33, hard))
    return bytes(2**34)


def _flood() -> bytes:
    for _ in range(100):
        os.write(1, bytes(2**20))
    sys.stderr.write("x" * 2**20)
    return b"flooded"


REQUESTS: Mapping[bytes, Callable[[], bytes]] = {
    b"pid": lambda: str(os.getpid()).encode(),
    b"exit": lambda: os._exit(0),
    b"abort": lambda: os.abort(),
    b"segfault": lambda: ctypes.string_at(0),
    b"killed": lambda: _signal(signal.SIGKILL),
    b"sys.exit": lambda: sys.exit(0),
    b"interrupt": lambda: _raise(KeyboardInterrupt()),
    b"untellable": lambda: _raise(UntellableError()),
    b"long": lambda: _raise(ValueError("x" * 10**7)),
    b"memory": _out_of_memory,
    b"loop": _loop,
    b"sleep": lambda: _sleep(),
    b"stopped": lambda: _signal(signal.SIGSTOP),
    b"grandchild": _grandchild,
    b"flood": _flood,
    b"junk": lambda: _written(b"\0\0\0\3abc"),
    b"huge": lambda: _written(b"\x7f\xff\xff\xff" + bytes(100)),
    b"late": lambda: _written(b"\0\0\0\x0a" + FRAME.pack(0, GOES_ON) + b"x"),
    b"spent": lambda: str(os.getpid()).encode(),
}


def _signal(number: signal.Signals) -> bytes:
    os.kill(os.getpid(), number)
    return b""


def _sleep() -> bytes:
    time.sleep(600)
    return b""


def _written(data: bytes) -> bytes:
    """Writes to the pipes of the worker what is no answer to this request."""
    for each in [*Path("/proc/self/fd").iterdir()]:
        if _is_socket(each):
            os.write(int(each.name), data)
    return b""


def _is_socket(path: Path) -> bool:
    try:
        return str(path.readlink()).startswith("socket:")
    except OSError:
        return False


def handler() -> Handler:
    return lambda request: (REQUESTS[request](), request != b"spent")


def broken() -> Handler:
    raise ValueError("there is no data")


def ending() -> Handler:
    os._exit(3)
