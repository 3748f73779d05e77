"""Settings that spaces got later."""

from collections.abc import Mapping

LATER: Mapping[str, bool] = {"later": True}
"""Metadata of a field of a dataclass that headers of runs do not have as long as it has its default,
because there are runs from before it.
"""
