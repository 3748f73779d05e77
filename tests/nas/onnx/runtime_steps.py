"""How far ONNX Runtime is from a program, and programs that end in a Flatten."""

import dataclasses

import numpy as np
import torch
from numpy.typing import NDArray

from nas.measure.host import run_onnx
from nas.onnx import to_onnx
from nas.program.interpreter import Interpreter
from nas.program.operations import (
    Flatten,
    Operation,
)
from nas.program.program import Program
from nas.program.tensors import TensorType


def steps_apart(program: Program, seed: int, fused: bool = False) -> NDArray[np.int64]:
    """By how many steps of its output ONNX Runtime differs from the program, on inputs of all
    values; a model that is not fused runs with default options.
    """
    first, last = program.tensors[0], program.tensors[-1]
    integers = np.random.default_rng(seed).integers(0, first.top + 1, (8, *first.shape))
    inputs = ((integers - first.zero) * np.float32(first.scale)).astype(np.float32)
    found = (
        np.rint(
            run_onnx(to_onnx(program, fused=fused), inputs, saturate=not fused)
            / np.float32(last.scale)
        ).astype(np.int64)
        + last.zero
    )
    apart: NDArray[np.int64] = np.abs(
        found - Interpreter(program).integers(torch.from_numpy(inputs)).numpy()
    )
    return apart


def flattened(tensors: list[TensorType], *operations: Operation) -> Program:
    last = tensors[-1]
    flat = dataclasses.replace(last, shape=(last.size,))
    return Program((*tensors, flat), (*operations, Flatten("flatten", (len(operations),))))
