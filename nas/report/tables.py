"""Tables of a page, as long as a reader wants them."""

from collections.abc import Sequence

from nas.report.markup import Markup, element, joined

MOST_ROWS = 200

Row = Sequence["Markup | str"]


def table(caption: str, head: Sequence[str], rows: Sequence[Row], most: int = MOST_ROWS) -> Markup:
    """The first `most` rows; the caption says how many there are if some are left out.

    The first cell of a row is its heading.
    """
    left_out = len(rows) - most
    said = f"{caption} (the first {most:,} of {len(rows):,})" if left_out > 0 else caption
    columns = [element("th", name, attributes={"scope": "col"}) for name in head]
    body = [
        element(
            "tr",
            element("th", row[0], attributes={"scope": "row"}),
            *(_cell(cell) for cell in row[1:]),
        )
        for row in rows[:most]
    ]
    inner = joined(
        element("caption", said),
        element("thead", element("tr", *columns)),
        element("tbody", *body),
    )
    # Wide tables scroll by themselves, and with the keyboard.
    scroll = {"class": "scroll", "tabindex": "0", "role": "region", "aria-label": caption}
    return element("div", element("table", inner), attributes=scroll)


def _cell(cell: "Markup | str") -> Markup:
    is_number = cell[:1].isdigit() or cell[:1] in ("-", "–")
    return element("td", cell, attributes={"class": "number"} if is_number else None)
