"""Rows of a table: what a way of compressing keeps, and what it takes."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from nas.data import Task
from nas.packed import unpack
from nas.program import score

FLOAT_EPOCHS = 4
COLUMNS = ("", "bytes", "test accuracy", "points lost", "minutes", f"of {FLOAT_EPOCHS} epochs")


def heading() -> str:
    """The first two lines of the table, as Markdown."""
    return f"| {' | '.join(COLUMNS)} |\n{'|---' * len(COLUMNS)}|"


@dataclass(frozen=True)
class Measured:
    """The bytes of a network in a tool's format, and its test accuracy, 0 to 1."""

    size_bytes: int
    accuracy: float


@dataclass(frozen=True)
class Table:
    """The table of one network: its task, its test accuracy in floats, 0 to 1, and the processor
    time that an epoch of its training takes, in seconds.
    """

    task: Task
    floating: float
    epoch_seconds: float

    def row(self, name: str, make: Callable[[], bytes | Measured]) -> str:
        """A row with the bytes and the test accuracy of what `make` gives, the loaded file if it is
        one; the points lost to the network in floats; minutes of processor time, and their ratio to
        those of four epochs in floats.

        A row without bytes has the reason for which there is no such file.
        """
        start = time.process_time()
        try:
            made, reason = make(), ""
        except ValueError as error:
            made, reason = None, str(error)
        seconds = time.process_time() - start
        if made is None:
            return _line(f"{name}: {reason}", "", "", "", *self._times(seconds))
        found = made if isinstance(made, Measured) else self._measured(made)
        lost = 100 * (self.floating - found.accuracy)
        facts = f"{found.size_bytes:,}", f"{found.accuracy:.4f}", f"{lost:+.2f}"
        return _line(name, *facts, *self._times(seconds))

    def floats(self, name: str, parameters: int, seconds: float) -> str:
        """The row of the network itself, with four bytes for each parameter."""
        return _line(name, f"{4 * parameters:,}", f"{self.floating:.4f}", "", *self._times(seconds))

    def _measured(self, packed: bytes) -> Measured:
        return Measured(len(packed), score(unpack(packed), self.task.test))

    def _times(self, seconds: float) -> tuple[str, str]:
        return f"{seconds / 60:.2f}", f"{seconds / (FLOAT_EPOCHS * self.epoch_seconds):.2f}"


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"
