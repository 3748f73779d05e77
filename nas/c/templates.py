"""The files of the written folder, filled in."""

import re
from collections.abc import Mapping
from importlib.resources import files


def template(name: str, values: Mapping[str, object] | None = None) -> str:
    """The text of a template, with the value of each @name@ in it."""
    text = (files("nas.c") / "templates" / name).read_text(encoding="utf-8")
    found = values or {}
    return re.sub(r"@([a-z_]+)@", lambda match: str(found[match[1]]), text)
