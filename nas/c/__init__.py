"""Programs as self-contained C99."""

from nas.c.errors import CodeError
from nas.c.folder import to_c, write_c
from nas.c.host import compiler, run_on_host, said_on_host
from nas.c.reading import reader_files

__all__ = [
    "CodeError",
    "compiler",
    "reader_files",
    "run_on_host",
    "said_on_host",
    "to_c",
    "write_c",
]
