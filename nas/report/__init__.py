"""Reports of runs: one HTML file that needs no network, written without torch."""

from nas.report.page import write_report

__all__ = ["write_report"]
