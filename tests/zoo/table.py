"""The table of docs/networks.md: `python -m tests.zoo.table` prints it."""

from tests.zoo.families import FAMILIES


def table() -> str:
    """A row for each family: whether it goes the whole way, and what pruning leaves."""
    rows = [
        "| family | trained | quantized, trained on, packed, ONNX | sparse, shared, factorized | pruned: what is left |",
        "|---|---|---|---|---|",
    ]
    for name, family in FAMILIES.items():
        if family.refused:
            cells = [f"no: {family.refused}"] + 2 * ["no"]
        else:
            cells = ["yes", "yes", f"{family.left} %" + (f"; {family.kept}" if family.kept else "")]
        rows.append(" | ".join([f"| {name}", "yes", *cells]) + " |")
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    print(table(), end="")  # noqa: T201
