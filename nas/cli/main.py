"""The command line: which command runs, and how the program ends."""

import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, NoReturn

from nas import __version__
from nas.runs.directory import RunDirectoryError

if TYPE_CHECKING:
    from nas.experiment import Experiment

STOPPED, REFUSED, INTERRUPTED, TERMINATED = 1, 2, 130, 143

USAGE = """usage: nas run FILE.py[:FUNCTION] [options]    search; nas run FILE.py --help lists the options
       nas show DIRECTORY [--json]             what a run has found; [--sensitivity FILE.py[:FUNCTION] [options]]
                                               tells what other bits in each layer of the best would do
       nas export DIRECTORY --out FILE         a candidate as a file to ship: [--id ID] [--to packed | onnx | torch]
                                               [--retrain FILE.py[:FUNCTION] [options]] trains it anew before
       nas score FILE [--data DATA] [--json]   the bytes and the test accuracy of a packed file
       nas ledger FILE [--json]                what each byte of a packed file is for
       nas profile FILE.py[:FUNCTION] [options] --table FILE
                                               a latency table of this host, for the operations of a search
       nas --version"""

# By path, because `nas ledger` must not wait for torch, which `nas run` needs.
COMMANDS: Mapping[str, str] = {
    name: f"nas.cli.{name}" for name in ("run", "show", "export", "score", "ledger", "profile")
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs one command; the program ends with 0 done, 1 stopped, 2 refused, 130 or 143 by a signal."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    command, rest = (given[0], given[1:]) if given else ("", [])
    with _signals_end_it(), _errors_in_one_line():
        if command in COMMANDS:
            import_module(COMMANDS[command]).main(rest)
        elif command in ("-h", "--help"):
            print(USAGE)
        elif command == "--version":
            print(f"compact-nas {__version__}")
        else:
            print(USAGE, file=sys.stderr)
            sys.exit(REFUSED)


def run_script(function: "Callable[..., Experiment]") -> None:
    """What `nas run` does, for the script that defines `function`: its last lines call this."""
    from nas.cli.run import run_function

    with _signals_end_it(), _errors_in_one_line():
        run_function(function, sys.argv[1:], f"python {sys.argv[0]}")


@contextmanager
def _signals_end_it() -> Iterator[None]:
    """SIGTERM unwinds as SIGINT does, so that files are closed."""

    def terminate(*_: object) -> NoReturn:
        raise SystemExit(TERMINATED)

    before = signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _errors_in_one_line() -> Iterator[None]:
    """Errors that the user can mend are printed without a traceback; those that only we can mend
    keep it.
    """
    try:
        yield
    except BrokenPipeError:
        # Whoever read our output has enough of it; Python's own flush at exit must not complain
        # again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(STOPPED)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except (ValueError, RunDirectoryError) as error:
        print(f"nas: {error}", file=sys.stderr)
        sys.exit(REFUSED)
    except (OSError, RuntimeError) as error:
        print(f"nas: {error}", file=sys.stderr)
        sys.exit(STOPPED)
