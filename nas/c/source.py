"""A C source that grows by tables, statements and the kernels that these call."""

import re
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

_NEEDS = re.compile(r"/\* needs ([a-z0-9_ ]+) \*/\n")
_LINE = 100


class Source:
    """What a program needs: weights of `plain` layers are stored as 8-bit integers, those of others as
    few bits; plain are all, or those that take over `most_unpacked` bytes when they are unpacked.
    """

    def __init__(self, plain: bool, most_unpacked: int | None = None) -> None:
        self._plain = plain
        self._most_unpacked = most_unpacked
        self.scratch = 0
        self.features: set[str] = set()
        self.tables: list[str] = []
        self.statements: list[str] = []
        self.table_bytes = 0
        self._kernels: dict[str, str] = {}
        self.kernel("prelude")
        self._named: dict[tuple[str, bytes], str] = {}

    def kernel(self, name: str) -> str:
        """Adds a kernel and what it needs, once; returns its name."""
        if name not in self._kernels:
            text = kernel_text(name)
            needs = _NEEDS.match(text)
            for other in needs[1].split() if needs else ():
                self.kernel(other)
            self._kernels[name] = _NEEDS.sub("", text)
        return name

    def table(self, name: str, values: NDArray[Any] | bytes) -> str:
        """Adds a constant table of integers, once for equal values; returns its name."""
        array = np.frombuffer(values, np.uint8) if isinstance(values, bytes) else values
        key = array.dtype.name, array.tobytes()
        if key not in self._named:
            label = f"table_{len(self._named)}"
            self._named[key] = label
            self.table_bytes += array.nbytes
            self.tables.append(
                f"/* {comment(name)} */\nstatic const {array.dtype.name}_t {label}[{max(array.size, 1)}] FLASH = {{\n"
                f"{numbers(array)}\n}};\n"
            )
        return self._named[key]

    def is_plain(self, unpacked: int) -> bool:
        """Whether weights are stored as 8-bit integers, of which `unpacked` are needed at once."""
        limit = self._most_unpacked
        return self._plain or (limit is not None and 2 * unpacked > limit)

    def need_scratch(self, size: int) -> None:
        """Notes that an operation needs so many integers of 16 bits beside the arena."""
        self.scratch = max(self.scratch, size)

    def add(self, statement: str) -> None:
        """Adds a statement of the program."""
        self.statements.append(statement)

    @property
    def kernels_used(self) -> set[str]:
        """The names of the kernels."""
        return set(self._kernels)

    @property
    def kernels(self) -> str:
        """The kernels, each after those that it needs."""
        return "\n".join(self._kernels.values())


def kernel_text(name: str) -> str:
    """The text of a kernel; a number at the end of a name stands for the bits of its table's type."""
    folder = files("nas.c") / "kernels"
    path = folder / f"{name}.c"
    if path.is_file():
        return path.read_text(encoding="utf-8")
    base, _, bits = name.rpartition("_")
    text = (folder / f"{base}.c").read_text(encoding="utf-8")
    return text.replace("@S@", bits).replace("@W@", f"int{bits}_t").replace("@U@", f"uint{bits}_t")


def numbers(values: NDArray[Any]) -> str:
    """Integers as the lines of an initializer."""
    words = [f"{literal(value)}," for value in values.ravel().tolist()] or ["0,"]
    lines, line = list[str](), "   "
    for word in words:
        if len(line) + 1 + len(word) > _LINE:
            lines.append(line)
            line = "   "
        line += f" {word}"
    return "\n".join([*lines, line])


def literal(value: int) -> str:
    """An integer constant of the type that holds it where an int has 16 bits too."""
    if -(2**15) < value < 2**15:
        return str(value)
    if -(2**31) < value < 2**31:
        return f"INT32_C({value})"
    if value == -(2**31):
        return "(-INT32_C(2147483647) - 1)"
    if 0 < value < 2**32:
        return f"UINT32_C({value})"
    return f"INT64_C({value})"


def float_literal(value: float) -> str:
    """A constant that C reads as the same float32."""
    text = f"{np.float32(value):.9g}"
    return f"{text if {'.', 'e'} & set(text) else text + '.0'}f"


def comment(text: str) -> str:
    """Text that cannot end a comment, or be anything but one line of ASCII."""
    clean = re.sub(r"[^ -~]", "?", text)
    return clean.replace("*/", "* /").replace("/*", "/ *").replace("\\", "/")


def fields(kind: str, name: str, **values: int | str) -> str:
    """A structure with these fields, on the stack."""
    inside = ", ".join(f".{field} = {value}" for field, value in values.items())
    return f"FIELDS({kind}, {name}, {inside});"


def block(title: str, lines: Sequence[str]) -> str:
    """Statements in braces, under a comment."""
    body = "\n".join(f"        {line}" for line in "\n".join(lines).split("\n"))
    return f"    /* {comment(title)} */\n    {{\n{body}\n    }}"
