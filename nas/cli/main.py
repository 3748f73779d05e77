"""The command line: which command runs, and with which status the program ends."""

import errno
import inspect
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, NoReturn

from nas import __version__
from nas.cli.option_errors import did_you_mean
from nas.runs.directory import RunDirectoryError

if TYPE_CHECKING:
    from nas.experiment import Experiment

STOPPED, REFUSED, INTERRUPTED, TERMINATED = 1, 2, 130, 143

_EXPERIMENT = "EXPERIMENT [options]"


@dataclass(frozen=True)
class Command:
    """A command: its arguments and what it does, for the usage, and the module with its `main`.

    A module is imported only to run its command: `nas ledger` must not wait for torch.
    """

    arguments: str
    help: str
    module: str


COMMANDS: Mapping[str, Command] = {
    "run": Command(_EXPERIMENT, "searches; EXPERIMENT --help lists the options", "nas.cli.run"),
    "show": Command(
        f"DIRECTORY [--json] [--sensitivity {_EXPERIMENT}]",
        "shows what a run has found, and what other bits in each layer of the best would do",
        "nas.cli.show",
    ),
    "report": Command(
        "DIRECTORY… [--out FILE.html]",
        "writes a page about runs: what they found, how, and why candidates failed",
        "nas.cli.report",
    ),
    "board": Command(
        "DIRECTORY [--port PORT]",
        "opens TensorBoard on the curves of a run, for this machine alone",
        "nas.cli.board",
    ),
    "export": Command(
        f"DIRECTORY --out FILE [--id ID] [--to FORMAT] [--class-names] [--retrain {_EXPERIMENT}]",
        "writes a candidate as a file to ship, trained again if wanted, or all for other tools",
        "nas.cli.export",
    ),
    "score": Command(
        "FILE [--data DATA] [--run DIRECTORY] [--json]",
        "prints the size and the accuracy of a packed file, and what it was scored on",
        "nas.cli.score",
    ),
    "ledger": Command(
        "FILE [--json]", "lists what each byte of a packed file is for", "nas.cli.ledger"
    ),
    "profile": Command(
        f"{_EXPERIMENT} --table FILE [--designs N]",
        "measures a latency table of this host for the operations of a search",
        "nas.cli.profile",
    ),
}


def usage() -> str:
    """The usage of all commands."""
    # Here, because only the usage needs them.
    from nas.cli.command_parser import shipped_experiments
    from nas.runs.formats import FORMATS
    from nas.runs.run_formats import RUN_FORMATS

    commands = "\n       ".join(
        f"nas {name} {command.arguments}\n           {command.help}"
        for name, command in COMMANDS.items()
    )
    formats, run_formats = (
        "\n".join(f"       {name:<10} {kind.help}" for name, kind in listed.items())
        for listed in (FORMATS, RUN_FORMATS)
    )
    return (
        f"usage: {commands}\n       nas --version\n\n"
        f"EXPERIMENT is FILE.py, FILE.py:FUNCTION or the name of one that ships: {', '.join(shipped_experiments())}\n\n"
        f"FORMAT is, of a candidate, one of\n{formats}\nof the whole run, one of\n{run_formats}"
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs one command. The program ends with 0 if it is done, 1 if it failed, 2 if the request was
    refused, and 130 or 143 if a signal ended it.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    name, rest = (given[0], given[1:]) if given else ("", [])
    with _sigterm_unwinds(), _errors_become_messages():
        if name in COMMANDS:
            import_module(COMMANDS[name].module).main(rest)
        elif name in ("-h", "--help"):
            print(usage())
        elif name == "--version":
            print(f"compact-nas {__version__}")
        else:
            print(usage(), file=sys.stderr)
            if name:
                print(
                    f"\nnas: there is no command {name}{did_you_mean(name, [*COMMANDS])}",
                    file=sys.stderr,
                )
            sys.exit(REFUSED)


def run_script(function: "Callable[..., Experiment]") -> None:
    """`nas run` for the script that defines `function`, to be called at its end."""
    from nas.cli.run import run_function

    source = f"{inspect.getfile(function)}:{function.__name__}"
    with _sigterm_unwinds(), _errors_become_messages():
        run_function(function, source, sys.argv[1:], f"python {sys.argv[0]}")


@contextmanager
def _sigterm_unwinds() -> Iterator[None]:
    """Makes SIGTERM raise SystemExit, so that files are closed as after SIGINT."""

    def terminate(*_: object) -> NoReturn:
        raise SystemExit(TERMINATED)

    before = signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _errors_become_messages() -> Iterator[None]:
    """Prints errors that the user can act on without a traceback, and ends the program.

    Other errors are bugs, and keep theirs.
    """
    try:
        yield
    except BrokenPipeError:
        # The reader has gone. Python flushes stdout at exit, which must not fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(STOPPED)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except (ValueError, RunDirectoryError) as error:
        print(f"nas: {error}", file=sys.stderr)
        sys.exit(REFUSED)
    except (OSError, RuntimeError) as error:
        print(f"nas: {error}", file=sys.stderr)
        # A name that no file can have was refused, not a file that could not be read.
        named = isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG
        sys.exit(REFUSED if named else STOPPED)
