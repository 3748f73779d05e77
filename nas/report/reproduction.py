"""How a run can be made again, as far as its directory knows."""

import shlex

from nas.report.figures import shortened
from nas.report.markup import Markup, element
from nas.report.reported_run import ReportedRun
from nas.report.tables import table
from nas.runs.origin import read_origin
from nas.runs.settings import settings_of

LONGEST_VALUE = 200


def reproduction(run: ReportedRun) -> list[Markup]:
    """The commands, the environment, and the settings that determine the results."""
    out = shlex.quote(str(run.out))
    command, environment = read_origin(run.out)
    again = command or f"nas run EXPERIMENT [its options] --out {out}"
    commands = (
        f"{again}    # goes on with the run, or makes it again elsewhere",
        f"nas show {out} --trials",
        f"nas export {out} --id best --out best.nas",
    )
    said = (
        "Equal settings, data and versions give equal results; a run directory refuses another experiment."
        if command
        else "EXPERIMENT is the file or the name that the run was started with, with its options: a run directory holds "
        "what they came to, which is listed here, and refuses another experiment. Equal settings, data and "
        "versions give equal results."
    )
    rows = [
        [name, shortened(value, LONGEST_VALUE)] for name, value in settings_of(run.header).items()
    ]
    known = table("environment", ("what", "version"), [*environment.items()])
    return [
        element("pre", "\n".join(commands), attributes={"tabindex": "0"}),
        element("p", said),
        known if environment else element("p", "Versions were not recorded."),
        element(
            "details",
            element("summary", "settings of the run"),
            table("settings of the run", ("setting", "value"), rows),
        ),
    ]
