"""`nas report`: a page that tells of runs."""

from collections.abc import Sequence
from pathlib import Path

from nas.cli.command_parser import command_parser
from nas.regular_file import check_target
from nas.report import write_report


def main(arguments: Sequence[str]) -> None:
    """Runs `nas report`."""
    parser = command_parser("report", "Writes one HTML file about runs, which needs no network.")
    parser.add_argument(
        "directories", type=Path, nargs="+", metavar="DIRECTORY", help="run directories"
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("report.html"),
        metavar="FILE.html",
        help="the file to write (default: report.html)",
    )
    options = parser.parse_args(arguments)
    check_target(options.out)
    length = write_report(options.directories, options.out)
    print(f"{options.out}: {length:,} bytes; open it in a browser")
