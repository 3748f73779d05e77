"""How a run can be made again, as far as its directory knows."""

import json
import platform
import shlex
from collections.abc import Mapping
from typing import Any

from nas import __version__
from nas.report.figures import shortened
from nas.report.markup import Markup, element
from nas.report.reported_run import ReportedRun
from nas.report.tables import table

LONGEST_VALUE = 200


def reproduction(run: ReportedRun) -> list[Markup]:
    """The commands, and the settings that determine the results."""
    out = shlex.quote(str(run.out))
    commands = (
        f"nas run EXPERIMENT [its options] --out {out}    # goes on with the run, or makes it again elsewhere",
        f"nas show {out} --trials",
        f"nas export {out} --id best --out best.nas",
    )
    said = (
        "EXPERIMENT is the file or the name that the run was started with, with its options: a run directory holds "
        "what they came to, which is listed here, and refuses another experiment. Equal settings, data and "
        "versions give equal results. Versions are not recorded; this page was written by "
        f"compact-nas {__version__} with Python {platform.python_version()} on {platform.system()} {platform.machine()}."
    )
    rows = [[name, shortened(value, LONGEST_VALUE)] for name, value in settings_of(run).items()]
    settings = table("settings of the run", ("setting", "value"), rows)
    return [
        element("pre", "\n".join(commands), attributes={"tabindex": "0"}),
        element("p", said),
        element("details", element("summary", "settings of the run"), settings),
    ]


def settings_of(run: ReportedRun) -> dict[str, str]:
    """The settings of a run by dotted names, as text."""
    return dict(_settings("", run.header["experiment"]))


def _settings(prefix: str, value: Any) -> list[tuple[str, str]]:
    """The leaves of the header, by dotted names."""
    if not isinstance(value, Mapping) or not value:
        return [(prefix, value if isinstance(value, str) else json.dumps(value))]
    return [
        row
        for name, part in value.items()
        for row in _settings(f"{prefix}.{name}" if prefix else str(name), part)
    ]
