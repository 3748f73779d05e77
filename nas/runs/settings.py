"""The settings that determine a run, as its header holds them, one by one."""

import json
from collections.abc import Mapping
from typing import Any

from nas.runs.journal_format import Header


def settings_of(header: Header) -> dict[str, str]:
    """The settings of a run by dotted names, as text.

    >>> settings_of({"experiment": {"seed": 0, "recipe": {"optimizer": "adamw", "lr": 0.01}}})
    {'seed': '0', 'recipe.optimizer': 'adamw', 'recipe.lr': '0.01'}
    """
    return dict(_leaves("", header["experiment"]))


def _leaves(prefix: str, value: Any) -> list[tuple[str, str]]:
    if not isinstance(value, Mapping) or not value:
        return [(prefix, value if isinstance(value, str) else json.dumps(value))]
    return [
        row
        for name, part in value.items()
        for row in _leaves(f"{prefix}.{name}" if prefix else str(name), part)
    ]
