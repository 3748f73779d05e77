"""The packed file: a program as bytes, and what each byte is for."""

from nas.packed.class_names import with_class_names
from nas.packed.fields import Entry
from nas.packed.layout import MAX_FILE, ArtifactError
from nas.packed.pack import flash_bytes, pack
from nas.packed.preprocessing import with_preprocessing
from nas.packed.unpack import class_names, ledger, preprocessing, unpack

__all__ = [
    "MAX_FILE",
    "ArtifactError",
    "Entry",
    "class_names",
    "flash_bytes",
    "ledger",
    "pack",
    "preprocessing",
    "unpack",
    "with_class_names",
    "with_preprocessing",
]
