"""The packed file: a program as bytes, and what each byte is for."""

from nas.packed.fields import Entry
from nas.packed.layout import ArtifactError
from nas.packed.pack import flash_bytes, pack
from nas.packed.unpack import ledger, unpack

__all__ = ["ArtifactError", "Entry", "flash_bytes", "ledger", "pack", "unpack"]
