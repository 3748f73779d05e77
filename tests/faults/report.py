"""A plugin of pytest, `-p tests.faults.report`: which promises were tried, and which were kept."""

import pytest

from tests.faults.promises import CANNOT_APPLY, PROMISES

OUTCOMES = "failed", "error", "passed", "skipped"
"""The first that one of its tests has is that of a promise."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        numbers = {number for mark in item.iter_markers("fault") for number in mark.args}
        item.user_properties += [("fault", number) for number in sorted(numbers)]


def outcomes(config: pytest.Config) -> dict[int, list[str]]:
    """The outcomes of the tests of each promise."""
    found: dict[int, list[str]] = {number: [] for number in PROMISES}
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    for outcome in OUTCOMES:
        for report in reporter.stats.get(outcome, ()) if reporter else ():
            for name, number in report.user_properties:
                if name == "fault":
                    found[number].append(outcome)
    return found


def said(number: int, of: list[str]) -> str:
    if number in CANNOT_APPLY:
        return f"cannot apply: {CANNOT_APPLY[number]}"
    first = next((outcome for outcome in OUTCOMES if outcome in of), "NOT TRIED")
    return f"{first} ({len(of)})" if of else first


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    terminalreporter.section("what is promised, and the tests of it")
    for number, of in outcomes(config).items():
        terminalreporter.line(f"{number:>3}  {PROMISES[number]:<76}  {said(number, of)}")


def pytest_sessionfinish(session: pytest.Session) -> None:
    kept = [
        number in CANNOT_APPLY or "passed" in of for number, of in outcomes(session.config).items()
    ]
    if session.config.pluginmanager.has_plugin("terminalreporter") and not all(kept):
        session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED
