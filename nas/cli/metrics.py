"""Metrics as text."""

from collections.abc import Mapping


def format_metrics(metrics: Mapping[str, float]) -> str:
    """Names and values on one line."""
    return ", ".join(f"{name} {format_metric(value)}" for name, value in metrics.items())


def format_metric(value: float) -> str:
    """Fractions with four decimal places, and counts as whole numbers."""
    return f"{value:.0f}" if value == int(value) and abs(value) > 1 else f"{value:.4f}"


def count_text(count: int) -> str:
    """A number that may be of any length.

    >>> count_text(1200), count_text(3 * 10**40)
    ('1,200', 'about 10^40')
    """
    return f"{count:,}" if count < 10**9 else f"about 10^{len(str(count)) - 1}"
