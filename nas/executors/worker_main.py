"""The other side of a `WorkerProcess`: a process that answers requests until it is ended."""

import os
import pickle
import signal
import struct
import threading
from multiprocessing import connection, parent_process
from multiprocessing.connection import Connection

from nas.error_text import described

FRAME = struct.Struct("<QB")
"""Before each answer: the number of its request, so that what a candidate wrote is not taken for one,
and a `Verdict`.
"""
READY, GOES_ON, SPENT, FAILED = range(4)
"""What follows is nothing, an answer, the last answer of this process, or an error message."""


def serve(pipe: Connection, file: str = __file__) -> None:
    """Reads a setup, and then requests, from `pipe`, and answers them. `file` is this module of the
    process that asks.
    """
    # A group of its own: signals of the terminal are for the coordinator, which ends all that a
    # candidate has started with the group.
    os.setsid()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    threading.Thread(target=_end_with_parent, daemon=True).start()
    # What candidates print may be endless, and would tear the progress line.
    silence = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(silence, stream)
    number = 0
    try:
        if file != __file__:  # a server does not look for modules where a script has said
            raise RuntimeError(f"it must import {file}, but imports {__file__}: set PYTHONPATH")
        handler = pickle.loads(pipe.recv_bytes())()  # noqa: S301 - from the process that started this
        pipe.send_bytes(FRAME.pack(number, READY))
        while True:
            request = pipe.recv_bytes()
            number += 1
            answer, goes_on = handler(request)
            pipe.send_bytes(FRAME.pack(number, GOES_ON if goes_on else SPENT) + answer)
    # Whatever a candidate raises, SystemExit and KeyboardInterrupt among it, is its own failure.
    except BaseException as error:
        message = described(error).encode(errors="backslashreplace")
        pipe.send_bytes(FRAME.pack(number, FAILED) + message)


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os.killpg(0, signal.SIGKILL)
