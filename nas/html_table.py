"""Small tables, as notebooks show them."""

from collections.abc import Iterable, Sequence
from html import escape


def html_table(rows: Iterable[Sequence[str]], head: Sequence[str] = ()) -> str:
    """A table of texts, all escaped, whose first cell of a row is its heading.

    >>> html_table([("a<b", "1")])
    '<table><tr><th>a&lt;b</th><td>1</td></tr></table>'
    """
    names = "".join(f"<th>{escape(name)}</th>" for name in head)
    lines = [f"<tr>{names}</tr>"] if head else []
    for first, *rest in rows:
        cells = "".join(f"<td>{escape(cell)}</td>" for cell in rest)
        lines.append(f"<tr><th>{escape(first)}</th>{cells}</tr>")
    return f"<table>{''.join(lines)}</table>"
