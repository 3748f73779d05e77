"""A program as a folder of C."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import torch

from nas import durable
from nas.c.examples import MOST, drawn_inputs, few, input_integers, output_integers, rows
from nas.c.header import class_name_table, header
from nas.c.model_source import model_source
from nas.c.projects import in_project
from nas.c.templates import template
from nas.preprocessing import Preprocessing
from nas.program.program import Program


class Limited(Protocol):
    """What C must fit on, such as a `nas.measure.Board`."""

    @property
    def unpacked(self) -> int:
        """The bytes of memory for unpacked weights."""
        ...

    def check(self, table_bytes: int, arena_bytes: int, scratch_bytes: int) -> None:
        """Raises ValueError if this does not fit."""
        ...


def to_c(
    program: Program,
    *,
    plain: bool = False,
    board: Limited | None = None,
    inputs: torch.Tensor | None = None,
    class_names: Sequence[str] | None = None,
    preprocessing: Preprocessing | None = None,
) -> Mapping[str, str]:
    """The files of a program as C99, by name: model.h, model.c, model_test.c and a Makefile.

    model.c gives the integers of the interpreter. It needs stdint.h and string.h alone, no heap, and
    one arena for activations, of `program.peak_memory` bytes if its tensors can be laid out so; the
    header says what it needs. Weights lie in flash in as few bits as `flash_bytes` counts, and are
    unpacked some channels at a time; with `plain` they lie there as 8-bit integers that are read in
    place, which is faster, and takes no memory beside the arena. So lie, where 8 bits hold them, also
    those of layers that would take more memory unpacked than a `board` has for that.

    model_test.c has up to twelve of `inputs`, float32 [N, …], or else of drawn ones, and the outputs
    that the interpreter gives for them. `class_names` become an array of strings, and
    `preprocessing` constants, and a function that gives the input of raw values.

    Raises:
        CodeError: if an operation has no C form or sums of more than 32 bits, naming it, or there is
            not a name for each class.
        ValueError: if it does not fit on the board, or the preprocessing is for another number of channels.
    """
    if preprocessing is not None:
        preprocessing.check(program.tensors[0].shape)
    most_unpacked = None if board is None else board.unpacked
    source = model_source(program, plain, most_unpacked, preprocessing)
    if board is not None:
        board.check(source.table_bytes, source.arena_bytes, source.scratch_bytes)
    text = source.text
    if class_names is not None:
        text += class_name_table(class_names)
    tested = few(drawn_inputs(program, MOST) if inputs is None else inputs)
    tests = {
        "count": len(tested),
        "inputs": rows(input_integers(program.tensors[0], tested).tolist()),
        "outputs": rows(output_integers(program, tested).tolist()),
    }
    return {
        "model.h": header(program, source, class_names, preprocessing),
        "model.c": text,
        "model_test.c": template("model_test.c", tests),
        "Makefile": template("Makefile"),
    }


def write_c(
    program: Program,
    folder: Path,
    *,
    plain: bool = False,
    board: Limited | None = None,
    inputs: torch.Tensor | None = None,
    class_names: Sequence[str] | None = None,
    project: str | None = None,
    preprocessing: Preprocessing | None = None,
) -> None:
    """Writes the files of `to_c` to a folder, which is made if there is none; with a `project`, a key
    of `PROJECTS`, as its tool wants them, with the first of `inputs` as an example where it has one.

    Raises:
        CodeError, ValueError: as `to_c`.
        ValueError: if there is no such project, or it refuses the folder's name.
        OSError: if a file cannot be written.
    """
    files = to_c(
        program,
        plain=plain,
        board=board,
        inputs=inputs,
        class_names=class_names,
        preprocessing=preprocessing,
    )
    if project is not None:
        first = few(drawn_inputs(program, MOST) if inputs is None else inputs)[:1]
        example = {
            "input": rows(input_integers(program.tensors[0], first).tolist()).removesuffix(","),
            "output": rows(output_integers(program, first).tolist()).removesuffix(","),
        }
        files = in_project(files, project, folder.resolve().name, example)
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        durable.write(folder / name, text.encode())
