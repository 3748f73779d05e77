"""HTML that is escaped unless it was made here, so that names of choices and reasons stay text."""

from collections.abc import Mapping
from html import escape


class Markup(str):
    """HTML, which `element` takes as it is; any other string is text."""

    __slots__ = ()


def element(
    name: str, *content: "Markup | str | int", attributes: Mapping[str, str] | None = None
) -> Markup:
    """An element with its content, which is escaped unless it is Markup.

    >>> element("p", "a < b, ", element("b", 3), attributes={"class": '"'})
    '<p class="&quot;">a &lt; b, <b>3</b></p>'
    """
    given = "".join(f' {key}="{escape(value)}"' for key, value in (attributes or {}).items())
    return Markup(f"<{name}{given}>{joined(*content)}</{name}>")


def joined(*content: "Markup | str | int") -> Markup:
    """Pieces one after the other, escaped unless they are Markup."""
    return Markup(
        "".join(part if isinstance(part, Markup) else escape(str(part)) for part in content)
    )
