"""model.c: the tables, kernels and statements of a program."""

from dataclasses import dataclass

from nas.c import joins, layers, moves, pixels, pointwise, pooling
from nas.c.arena import Arena, arena
from nas.c.errors import CodeError
from nas.c.orders import Order
from nas.c.preprocessing import prepare_source
from nas.c.source import Source, block
from nas.c.steps import Computed, Copied, Plan, Step, Transposed, plan
from nas.c.writer import Writers
from nas.preprocessing import Preprocessing
from nas.program.operations import Flatten, Operation, Reshape
from nas.program.program import Program

WRITERS: Writers = {
    **layers.WRITERS,
    **joins.WRITERS,
    **pooling.WRITERS,
    **moves.WRITERS,
    **pixels.WRITERS,
    **pointwise.WRITERS,
}
"""What writes the operations of each class; Flatten and Reshape are views."""


@dataclass(frozen=True)
class ModelSource:
    """The text of model.c, and the bytes that it takes: of the arena, of integers that are unpacked
    beside it, and of constant tables.
    """

    text: str
    arena_bytes: int
    scratch_bytes: int
    table_bytes: int


MARK = "model_mark"
"""A function of the caller's, void (void), that marked C calls behind each step."""


def model_source(
    program: Program,
    plain: bool,
    most_unpacked: int | None = None,
    preprocessing: Preprocessing | None = None,
    *,
    marked: bool = False,
) -> ModelSource:
    """The C of a program; layers whose unpacked weights take over `most_unpacked` bytes are plain.
    With `preprocessing` it reads raw values too. What is `marked` calls `MARK` behind each step.

    Raises:
        CodeError: if an operation has no C form, naming it.
    """
    _check_kinds(program)
    planned, source = plan(program), Source(plain, most_unpacked)
    placed = arena(planned.sizes, planned.lives, program.peak_memory)
    for step in planned.steps:
        statement = _statement(source, step, placed)
        source.add(f"{statement}\n    {MARK}();" if marked else statement)
    text = _text(program, planned, placed, source, marked)
    if preprocessing is not None:
        text += "\n" + prepare_source(source, preprocessing)
    return ModelSource(text, placed.size, 2 * source.scratch, source.table_bytes)


def _check_kinds(program: Program) -> None:
    known: tuple[type[Operation], ...] = (*WRITERS, Flatten, Reshape)
    for index, operation in enumerate(program.operations):
        if type(operation) not in known:
            names = ", ".join(sorted(kind.__name__ for kind in known))
            raise CodeError(
                f"operation {index}, {type(operation).__name__} {operation.name!r}: "
                f"it has no C form; written are {names}"
            )


def _statement(source: Source, step: Step, placed: Arena) -> str:
    match step:
        case Computed():
            return _computed(source, step, placed)
        case Transposed():
            at = placed.offsets[step.memory]
            kernel = source.kernel("transpose")
            return f"    {kernel}(arena + {at}, {step.rows}, {step.columns});"
        case Copied():
            begin, end = placed.offsets[step.source], placed.offsets[step.result]
            return f"    memcpy(arena + {end}, arena + {begin}, {step.size});"


def _computed(source: Source, step: Computed, placed: Arena) -> str:
    operation, signature = step.operation, step.signature
    kind = type(operation).__name__
    places = [
        f"const uint8_t *const in{index} = arena + {placed.offsets[place.memory]};"
        for index, place in enumerate(step.sources)
    ]
    places.append(f"uint8_t *const out = arena + {placed.offsets[step.result.memory]};")
    orders = [place.order for place in step.sources]
    try:
        lines = WRITERS[type(operation)](source, operation, signature, orders)
    except CodeError as error:
        raise CodeError(f"{kind} {operation.name!r}: {error}") from error
    shapes = " and ".join("x".join(map(str, each.shape)) for each in signature.sources)
    result = "x".join(map(str, signature.result.shape))
    return block(f"{operation.name}: {kind}, {shapes} to {result}", [*places, *lines])


def _text(program: Program, planned: Plan, placed: Arena, source: Source, marked: bool) -> str:
    source.kernel("quantize")
    features = [
        f"#define {name} {int(name in source.features)}"
        for name in ("CODEBOOKS", "ZERO_POINTS", "MASKS", "GAPS")
    ]
    scratch = ["static int16_t scratch[MODEL_SCRATCH_BYTES / 2];"] if source.scratch else []
    first, last = placed.offsets[planned.first.memory], placed.offsets[planned.last.memory]
    parts = [
        "/* The network of model.h, in whole numbers. */",
        '#include "model.h"\n\n#include <string.h>',
        f"void {MARK}(void);" if marked else "",
        "\n".join(features) if "weights" in source.kernels_used else "",
        source.kernels,
        "\n".join(source.tables),
        "\n".join(["static uint8_t arena[MODEL_ARENA_BYTES];", *scratch]),
        f"uint8_t *model_input(void)\n{{\n    return arena + {first};\n}}",
        _run(program, planned.last.order, source, first, last),
    ]
    return "\n\n".join(part.strip("\n") for part in parts if part) + "\n"


def _run(program: Program, order: Order, source: Source, first: int, last: int) -> str:
    lines = [
        "int model_run(const uint8_t *input, uint8_t *output)",
        "{",
        "    size_t i, best = 0;",
        "",
        f"    if (input != arena + {first}) {{",
        f"        memcpy(arena + {first}, input, MODEL_INPUT_SIZE);",
        "    }",
    ]
    top = program.tensors[0].top
    if top < 255:
        lines += [
            "    for (i = 0; i < MODEL_INPUT_SIZE; i++) {",
            f"        if (arena[{first} + i] > {top}) {{",
            f"            arena[{first} + i] = {top};",
            "        }",
            "    }",
        ]
    lines += source.statements
    if order.natural:
        lines.append(f"    memcpy(output, arena + {last}, MODEL_OUTPUT_SIZE);")
    else:
        lines += [
            "    for (i = 0; i < MODEL_OUTPUT_SIZE; i++) {",
            f"        output[i % {order.channels} * {order.count // order.channels} + i / {order.channels}] = arena[{last} + i];",
            "    }",
        ]
    lines += [
        "    for (i = 1; i < MODEL_OUTPUT_SIZE; i++) {",
        "        if (output[i] > output[best]) {",
        "            best = i;",
        "        }",
        "    }",
        "    return (int)best;",
        "}",
    ]
    return "\n".join(lines)
