"""The reader of packed files in C, for devices that get them over the air."""

from collections.abc import Mapping
from importlib.resources import files


def reader_files() -> Mapping[str, str]:
    """The files of the reader, by name: C99 without a heap, whose memory the caller gives. nas_file.h says
    how it is used; the other headers are its own.
    """
    folder = files("nas.c") / "reader"
    return {
        each.name: each.read_text(encoding="utf-8")
        for each in sorted(folder.iterdir(), key=lambda each: each.name)
        if each.name.endswith((".c", ".h"))
    }
