"""The command line: run an experiment, show what a run has found."""

import argparse
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from nas.record import RunDirectoryError

if TYPE_CHECKING:
    from nas.experiment import Experiment

STOPPED, REFUSED, INTERRUPTED, TERMINATED = 1, 2, 130, 143

USAGE = """usage: nas run FILE.py[:FUNCTION] [options]    search; nas run FILE.py --help lists the options
       nas show DIRECTORY [--json]             what a run has found"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs one command; the program ends with 0 done, 1 stopped, 2 refused, 130 or 143 by a signal."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    command, rest = (given[0], given[1:]) if given else ("", [])
    with _ended_by_signals(), _told_in_one_line():
        if command == "run" and rest and not rest[0].startswith("-"):
            from nas.options import load_function  # here, because `show` must not wait for torch

            run_function(load_function(rest[0]), rest[1:], f"nas run {rest[0]}")
        elif command == "show":
            _show(rest)
        elif command in ("-h", "--help"):
            print(USAGE)
        else:
            print(USAGE, file=sys.stderr)
            sys.exit(REFUSED)


def run_script(function: "Callable[..., Experiment]") -> None:
    """What `nas run` does, for the script that defines `function`: its last lines call this."""
    with _ended_by_signals(), _told_in_one_line():
        run_function(function, sys.argv[1:], f"python {sys.argv[0]}")


def run_function(function: "Callable[..., Experiment]", arguments: Sequence[str], prog: str) -> None:
    """Runs the experiment that a function makes of the arguments, and prints what was found."""
    from rich.console import Console

    from nas.options import parse
    from nas.progress import ProgressLine
    from nas.run import run
    from nas.show import print_table

    experiment, out = parse(function, arguments, prog)
    console = Console()
    with ProgressLine(experiment.trials, experiment.objective, console) as line:
        found = run(experiment, out, line.update)
    print_table(out, console)
    console.print(f"curves: tensorboard --logdir {out / 'tb'}", highlight=False, soft_wrap=True)
    if found.best is None:
        sys.exit(REFUSED)


def _show(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="nas show", description="What a run has found.", allow_abbrev=False)
    parser.add_argument("directory", type=Path, help="a run directory")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of tables")
    options = parser.parse_args(arguments)
    from rich.console import Console

    from nas.show import print_json, print_table

    if options.json:
        print_json(options.directory)
    else:
        print_table(options.directory, Console())


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """SIGTERM unwinds as SIGINT does, so that files are closed."""

    def terminate(*_: object) -> NoReturn:
        raise SystemExit(TERMINATED)

    before = signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _told_in_one_line() -> Iterator[None]:
    """What the user can mend is told without a traceback; what only we can mend keeps it."""
    try:
        yield
    except BrokenPipeError:
        # Whoever read our output has enough of it; Python's own flush at exit must not complain again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(STOPPED)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except (ValueError, RunDirectoryError) as error:
        print(f"nas: {error}", file=sys.stderr)
        sys.exit(REFUSED)
    except (OSError, RuntimeError) as error:
        print(f"nas: {error}; the same command resumes the run", file=sys.stderr)
        sys.exit(STOPPED)


if __name__ == "__main__":
    main()
