"""Numbers as readers want them."""

from collections.abc import Hashable, Mapping


def number(value: float) -> str:
    """Whole numbers with commas, shares with four decimal places, others with four digits.

    >>> number(12345.0), number(0.5), number(12.3456), number(1e-7)
    ('12,345', '0.5000', '12.35', '1e-07')
    """
    if value == int(value) and abs(value) < 1e15:
        return f"{value:,.0f}"
    return f"{value:.4f}" if 1e-3 <= abs(value) < 1 else f"{value:.4g}"


def percent(share: float) -> str:
    """A share with one decimal place."""
    return f"{share:.1%}"


def duration(seconds: float) -> str:
    """A time in the units that suit it.

    >>> duration(4.25), duration(130), duration(9000)
    ('4.2 s', '2 min 10 s', '2 h 30 min')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def metrics_text(metrics: Mapping[str, float]) -> str:
    """Names and values on one line."""
    return ", ".join(f"{name} {number(value)}" for name, value in metrics.items())


def shortened(text: str, longest: int) -> str:
    """A text of at most so many characters, with an ellipsis where some are left out.

    >>> shortened("abcdef", 4)
    'abc…'
    """
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def design_text(design: Mapping[str, Hashable]) -> str:
    """Choices and their options on one line."""
    return "; ".join(f"{name} {option_text(option)}" for name, option in design.items())


def option_text(option: Hashable) -> str:
    """An option of a choice as a journal holds it."""
    return option if isinstance(option, str) else str(option)
