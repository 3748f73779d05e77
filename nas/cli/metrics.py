"""Metrics as text."""

from collections.abc import Mapping


def format_metrics(metrics: Mapping[str, float]) -> str:
    """Names and values on one line."""
    return ", ".join(f"{name} {format_metric(value)}" for name, value in metrics.items())


def format_metric(value: float) -> str:
    """Fractions with four decimal places, and counts as whole numbers."""
    return f"{value:.0f}" if value == int(value) and abs(value) > 1 else f"{value:.4f}"
