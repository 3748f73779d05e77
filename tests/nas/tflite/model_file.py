"""What stands in a model's file, and inputs that reach all integers of a program."""

from typing import Any

import numpy as np
import tflite
from numpy.typing import NDArray

from nas.program.program import Program

NAMES = {
    code: name
    for name, code in vars(tflite.BuiltinOperator).items()
    if isinstance(code, int) and not name.startswith("_")
}


def read(model: bytes) -> Any:
    return tflite.Model.GetRootAs(model, 0)


def operators(model: bytes) -> list[str]:
    """The kinds of the operators, in order."""
    found = read(model)
    graph = found.Subgraphs(0)
    codes = [
        found.OperatorCodes(graph.Operators(i).OpcodeIndex())
        for i in range(graph.OperatorsLength())
    ]
    return [NAMES[code.BuiltinCode()] for code in codes]


def drawn_inputs(program: Program, seed: int, count: int) -> NDArray[np.float32]:
    first = program.tensors[0]
    integers = np.random.default_rng(seed).integers(0, first.top + 1, (count, *first.shape))
    return ((integers - first.zero) * np.float32(first.scale)).astype(np.float32)
