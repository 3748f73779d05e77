"""model.h: what a caller needs to know."""

from collections.abc import Sequence

from nas.c.errors import CodeError
from nas.c.model_source import ModelSource
from nas.c.preprocessing import prepare_header
from nas.c.source import float_literal
from nas.c.templates import template
from nas.preprocessing import Preprocessing
from nas.program.program import Program
from nas.program.tensors import Shape


def header(
    program: Program,
    source: ModelSource,
    class_names: Sequence[str] | None,
    preprocessing: Preprocessing | None = None,
) -> str:
    """The text of model.h.

    Raises:
        CodeError: if there is not a name for each class.
    """
    first, last = program.tensors[0], program.tensors[-1]
    if class_names is not None and len(class_names) != last.size:
        raise CodeError(
            f"class names must be {last.size}, one for each class, but got {len(class_names)}"
        )
    peak = program.peak_memory
    exact = "the most that is alive at once"
    more = f"{peak} bytes are alive at once, but the search found no layout of less than this"
    names = (
        ""
        if class_names is None
        else "\nextern const char *const model_class_names[MODEL_OUTPUT_SIZE];\n"
    )
    return template(
        "model.h",
        {
            "input_shape": _described(first.shape),
            "input_dimensions": _dimensions(first.shape),
            "input_size": first.size,
            "input_scale": float_literal(first.scale),
            "input_zero": first.zero,
            "input_top": first.top,
            "output_size": last.size,
            "output_scale": float_literal(last.scale),
            "output_zero": last.zero,
            "peak": exact if source.arena_bytes <= peak else more,
            "arena_bytes": source.arena_bytes,
            "scratch_bytes": source.scratch_bytes,
            "table_bytes": source.table_bytes,
            "class_names": names,
            "prepare": "" if preprocessing is None else "\n" + prepare_header(preprocessing),
        },
    )


def class_name_table(class_names: Sequence[str]) -> str:
    """The definition of the names in model.c."""
    lines = "\n".join(f"    {string_literal(name)}," for name in class_names)
    return f"\nconst char *const model_class_names[MODEL_OUTPUT_SIZE] = {{\n{lines}\n}};\n"


def string_literal(text: str) -> str:
    """UTF-8 as a string that C reads whatever the encoding of its source."""
    # Of three digits, so that no character after it is read as a fourth; and no trigraphs.
    escaped = "".join(
        chr(byte) if 32 <= byte < 127 and chr(byte) not in '"\\?' else f"\\{byte:03o}"
        for byte in text.encode()
    )
    return f'"{escaped}"'


def _described(shape: Shape) -> str:
    match shape:
        case (count,):
            return f"{count} integers"
        case (channels, length):
            return f"a signal [{length}][{channels}], in which the channels of each step lie side by side"
        case (channels, height, width):
            return f"an image [{height}][{width}][{channels}], row by row, in which the channels of each pixel lie side by side"
    raise AssertionError(shape)


def _dimensions(shape: Shape) -> str:
    names = {1: ("COUNT",), 2: ("CHANNELS", "LENGTH"), 3: ("CHANNELS", "HEIGHT", "WIDTH")}
    return "\n".join(
        f"#define MODEL_INPUT_{name} {size}"
        for name, size in zip(names[len(shape)], shape, strict=True)
    )
