"""Kinds of choices whose names have changed."""

from collections.abc import Mapping

RENAMED_KINDS: Mapping[str, str] = {"codes": "codebook_size"}
"""Former names of kinds of choices, which spaces and journals may still use, and the present ones.
"""

_FIRST_KINDS = {present: former for former, present in RENAMED_KINDS.items()}


def present_name(name: str) -> str:
    """The name of a choice, or a kind alone, with the present name of its kind."""
    site, dot, kind = name.rpartition(".")
    return f"{site}{dot}{RENAMED_KINDS.get(kind, kind)}"


def first_name(name: str) -> str:
    """The name of a choice with the first name that its kind had."""
    site, dot, kind = name.rpartition(".")
    return f"{site}{dot}{_FIRST_KINDS.get(kind, kind)}"
