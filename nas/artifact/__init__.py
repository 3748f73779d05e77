"""The artifact: the integer program of a trained network, and the file that holds it."""

from nas.artifact.fields import Entry
from nas.artifact.interpret import Interpreter, logits, score
from nas.artifact.layout import ArtifactError
from nas.artifact.lower import lower, settled
from nas.artifact.operations import Conv, Linear, Operation, ProgramError, Scaling, TensorType
from nas.artifact.pack import flash_bytes, pack
from nas.artifact.program import Program
from nas.artifact.unpack import ledger, unpack

__all__ = [
    "ArtifactError",
    "Conv",
    "Entry",
    "Interpreter",
    "Linear",
    "Operation",
    "Program",
    "ProgramError",
    "Scaling",
    "TensorType",
    "flash_bytes",
    "ledger",
    "logits",
    "lower",
    "pack",
    "score",
    "settled",
    "unpack",
]
