"""The page: sections in their order, with the pictures' data, style and script in one file."""

import json
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from nas import durable
from nas.report.best_so_far import best_so_far
from nas.report.chart import Chart, figure
from nas.report.choices import importance_table, importances_of, parallel_coordinates
from nas.report.comparison import comparison
from nas.report.failures import failures
from nas.report.markup import Markup, element, joined
from nas.report.network import network_parts
from nas.report.reported_run import ReportedRun, read_runs
from nas.report.reproduction import reproduction
from nas.report.shown_trials import ShownTrials, shown_trials
from nas.report.tested import tested
from nas.report.timeline import timeline
from nas.report.trade_offs import trade_offs
from nas.report.verdict import verdict

MOST_BYTES = 1_000_000

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:"
"""The browser refuses whatever a page would load, should anything ever ask for it."""

Section = tuple[str, Sequence["Markup | Chart"]]


def write_report(directories: Sequence[Path], target: Path) -> int:
    """Writes one HTML file that tells of the runs in these directories, and returns its length.

    It loads nothing from elsewhere, and is of at most `MOST_BYTES`: of a long run, pictures show the
    Pareto front and an even choice of the other trials, and tables their first rows.

    Raises:
        ValueError: if there are no runs, one is named twice, or their page would be longer.
        RunDirectoryError: if a directory holds no run, or a damaged one.
        OSError: if a file cannot be read or written.
    """
    paths = [directory.resolve() for directory in directories]
    if not paths or len({*paths}) < len(paths):
        listed = [str(directory) for directory in directories]
        raise ValueError(f"a report must be of one run or several different ones, but got {listed}")
    page = report_page(read_runs(directories)).encode(errors="replace")
    if len(page) > MOST_BYTES:
        raise ValueError(
            f"a report must be at most {MOST_BYTES:,} bytes long, but that of these runs has {len(page):,}: "
            "report fewer runs at a time"
        )
    durable.write(target, page)
    return len(page)


def report_page(runs: Sequence[ReportedRun]) -> str:
    """The page as HTML."""
    trials = [shown_trials(run, len(runs)) for run in runs]
    sections, entries = list[Section](), list[tuple[str, int]]()
    if len(runs) > 1:
        sections.append(("Comparison", [comparison(runs), *best_so_far(runs)]))
        entries.append(("Comparison", 0))
    for run, shown in zip(runs, trials, strict=True):
        of_run, first = _sections(run, shown, len(runs) == 1), len(sections)
        if len(runs) == 1:
            sections += of_run
            entries += [(title, index) for index, (title, _) in enumerate(of_run)]
        else:
            sections += [(f"{run.name}: {title}", parts) for title, parts in of_run]
            entries.append((run.name, first))
    charts = list[Chart]()
    body = [_section(index, section, charts) for index, section in enumerate(sections)]
    links = [
        element("a", text, attributes={"href": f"#section-{index}"}) for text, index in entries
    ]
    data = {
        "charts": [{"kind": chart.kind, **chart.data} for chart in charts],
        "trials": [shown.to_json() for shown in trials],
    }
    return _document(f"Search report: {', '.join(run.name for run in runs)}", links, body, data)


def _sections(run: ReportedRun, shown: ShownTrials, alone: bool) -> list[Section]:
    """What is told of one run; the picture of its rise is that of the comparison if it is not alone."""
    found = importances_of(run)
    coordinates = [parallel_coordinates(run, shown, found)] if shown.evaluations else []
    nothing = element("p", "No candidate was trained to its end.")
    return [
        ("Summary", verdict(run)),
        *([("Best so far", best_so_far([run]))] if alone else []),
        ("Trade-offs", trade_offs(run) or [nothing]),
        ("Network", network_parts(run)),
        ("Test data", tested(run)),
        ("Importance of choices", importance_table(run, found)),
        ("Trials", coordinates or [nothing]),
        ("Timeline", [timeline(run)]),
        ("Failures", [failures(run)]),
        ("Reproduction", reproduction(run)),
    ]


def _section(index: int, section: Section, charts: list[Chart]) -> Markup:
    """A section; its pictures are added to `charts`, whose order they are numbered by."""
    title, parts = section
    content = list[Markup]()
    for part in parts:
        if isinstance(part, Chart):
            content.append(figure(part, len(charts)))
            charts.append(part)
        else:
            content.append(part)
    return element("section", element("h2", title), *content, attributes={"id": f"section-{index}"})


def _document(title: str, links: Sequence[Markup], body: Sequence[Markup], data: object) -> str:
    # An end tag within a script would end it, whatever it is part of.
    written = json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")
    style, plot, charts = (
        Markup(files("nas.report").joinpath(name).read_text("utf-8"))
        for name in ("page.css", "plot.js", "charts.js")
    )
    head = joined(
        Markup('<meta charset="utf-8">'),
        Markup('<meta name="viewport" content="width=device-width, initial-scale=1">'),
        Markup(f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'),
        element("title", title),
        element("style", style),
    )
    without = element("p", "Pictures need JavaScript; the tables below them show the same.")
    page = joined(
        element("header", element("h1", title), element("nav", *links)),
        element("noscript", without),
        element("main", *body),
        element("script", Markup(written), attributes={"type": "application/json", "id": "data"}),
        element("script", plot),
        element("script", charts),
    )
    root = element("html", element("head", head), element("body", page), attributes={"lang": "en"})
    return f"<!doctype html>\n{root}\n"
