"""Raw values in C: constants in model.h and a function in model.c."""

from collections.abc import Mapping

from nas.c.source import Source, float_literal
from nas.c.templates import template
from nas.preprocessing import Preprocessing, RawKind

_READ_FLOAT = """#if defined(__AVR__)
#define READ_FLOAT(from) pgm_read_float(from)
#else
#define READ_FLOAT(from) (*(from))
#endif

"""

_TYPES: Mapping[RawKind, str] = {"uint8": "uint8_t", "int16": "int16_t", "float32": "float"}


def prepare_header(preprocessing: Preprocessing) -> str:
    """The part of model.h: the type of raw values, the constants, and the function."""
    limit, each = preprocessing.limit, preprocessing.channels
    constants = [] if limit is None else [f"#define MODEL_LIMIT {float_literal(limit)}"]
    if each is None:
        constants.append(f"#define MODEL_MEAN {float_literal(preprocessing.mean[0])}")
        constants.append(f"#define MODEL_DEVIATION {float_literal(preprocessing.deviation[0])}")
    else:
        # Channels and features alike: those of a pixel or a step lie side by side.
        constants += [
            "/* One for each channel or feature; on an AVR they lie in flash. */",
            f"#define MODEL_MEANS {each}",
        ]
        constants += [
            f"extern const float model_{name}[MODEL_MEANS];" for name in ("mean", "deviation")
        ]
    values = {
        "raw": _TYPES[preprocessing.raw],
        "limit": "" if limit is None else ", from -MODEL_LIMIT to MODEL_LIMIT",
        "missing": "; NaN, which is missing, becomes 0" if preprocessing.raw == "float32" else "",
        "constants": "\n".join(constants),
    }
    return template("prepare.h", values)


def prepare_source(source: Source, preprocessing: Preprocessing) -> str:
    """The part of model.c, whose tables are counted in `source`."""
    text, mean, deviation = "", "MODEL_MEAN", "MODEL_DEVIATION"
    if preprocessing.channels is not None:
        text += _READ_FLOAT
        for name, numbers in (("mean", preprocessing.mean), ("deviation", preprocessing.deviation)):
            lines = "\n".join(f"    {float_literal(number)}," for number in numbers)
            text += f"const float model_{name}[MODEL_MEANS] FLASH = {{\n{lines}\n}};\n\n"
            source.table_bytes += 4 * len(numbers)
        at = "i % MODEL_MEANS"
        mean, deviation = f"READ_FLOAT(model_mean + {at})", f"READ_FLOAT(model_deviation + {at})"
    elif preprocessing.mean[0] == 0:
        mean = "0.0f"
    checks = list[str]()
    if preprocessing.raw == "float32":
        checks += ["        if (value != value) {", "            value = 0.0f;", "        }"]
    if preprocessing.limit is not None:
        for sign, compared in (("-", "<"), ("", ">")):
            checks += [
                f"        if (value {compared} {sign}MODEL_LIMIT) {{",
                f"            value = {sign}MODEL_LIMIT;",
                "        }",
            ]
    values = {"mean": mean, "deviation": deviation, "checks": "\n".join(checks)}
    # Without checks there is no empty line in their place.
    return text + template("prepare.c", values).replace("\n\n        input", "\n        input")
