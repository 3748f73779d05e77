"""The command line: which command runs, and with which status the program ends."""

import errno
import inspect
import os
import signal
import sys
import traceback
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
    """A command: the group that it is listed in, its arguments and what it does, for the usage, and the
    module with its `main`.

    A module is imported only to run its command: `nas ledger` must not wait for torch.
    """

    group: str
    arguments: str
    help: str
    module: str


_SEARCH, _LOOK, _SHIP, _MACHINE = "search", "look at runs", "ship", "this machine"

COMMANDS: Mapping[str, Command] = {
    "run": Command(
        _SEARCH, _EXPERIMENT, "searches; EXPERIMENT --help lists the options", "nas.cli.run"
    ),
    "space": Command(
        _SEARCH,
        f"{_EXPERIMENT} [--designs N]",
        "shows what can be chosen, and what networks cost before any is trained",
        "nas.cli.space",
    ),
    "check": Command(
        _SEARCH,
        _EXPERIMENT,
        "checks the space, the strategy and the compressors of an experiment against their contracts",
        "nas.cli.check",
    ),
    "show": Command(
        _LOOK,
        f"DIRECTORY [--trials] [--id N] [--importance] [--json] [--sensitivity {_EXPERIMENT}]",
        "shows what a run has found, all its candidates or one, which choices matter, and what other bits in each layer "
        "would do",
        "nas.cli.show",
    ),
    "report": Command(
        _LOOK,
        "DIRECTORY… [--out FILE.html]",
        "writes a page about runs: what they found, how, and why candidates failed",
        "nas.cli.report",
    ),
    "board": Command(
        _LOOK,
        "DIRECTORY [--port PORT]",
        "opens TensorBoard on the curves of a run, for this machine alone",
        "nas.cli.board",
    ),
    "compare": Command(
        _LOOK,
        "DIRECTORY DIRECTORY…",
        "shows what runs found, side by side, and the settings in which they differ",
        "nas.cli.compare",
    ),
    "export": Command(
        _SHIP,
        f"DIRECTORY --out FILE [--id ID] [--to FORMAT] [--class-names] [--preprocessing] [--retrain {_EXPERIMENT}]",
        "writes a candidate as a file to ship, trained again if wanted, or all for other tools",
        "nas.cli.export",
    ),
    "score": Command(
        _SHIP,
        "FILE [--data DATA] [--run DIRECTORY] [--json]",
        "prints the size and the accuracy of a packed file, and what it was scored on",
        "nas.cli.score",
    ),
    "ledger": Command(
        _SHIP, "FILE [--json]", "lists what each byte of a packed file is for", "nas.cli.ledger"
    ),
    "profile": Command(
        _MACHINE,
        f"{_EXPERIMENT} --table FILE [--target CORE] [--designs N]",
        "measures latencies of this host, or counts instructions of an emulated core, as a table for a search",
        "nas.cli.profile",
    ),
    "doctor": Command(
        _MACHINE,
        "",
        "shows versions, threads, accelerators, and what extras would add",
        "nas.cli.doctor",
    ),
}


def usage() -> str:
    """The usage of all commands."""
    # Here, because only the usage needs them.
    from nas.cli.command_parser import shipped_experiments
    from nas.runs.formats import FORMATS
    from nas.runs.run_formats import RUN_FORMATS

    groups = dict.fromkeys(command.group for command in COMMANDS.values())
    commands = "\n\n".join(
        "\n".join(
            [
                f"{group}:",
                *(
                    f"  nas {name} {command.arguments}".rstrip() + f"\n      {command.help}"
                    for name, command in COMMANDS.items()
                    if command.group == group
                ),
            ]
        )
        for group in groups
    )
    formats, run_formats = (
        "\n".join(f"       {name:<10} {kind.help}" for name, kind in listed.items())
        for listed in (FORMATS, RUN_FORMATS)
    )
    return (
        f"usage: nas COMMAND …; nas COMMAND --help says more; nas --version\n\n{commands}\n\n"
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
        elif not name:
            print(usage(), file=sys.stderr)
            sys.exit(REFUSED)
        else:
            print("usage: nas COMMAND …; nas --help lists the commands", file=sys.stderr)
            said = did_you_mean(name, [*COMMANDS])
            print(f"nas: there is no command {name}{said}", file=sys.stderr)
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

    Those that the user's own code raised keep theirs, and so do others, which are bugs.
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
        _trace_of_user(error)
        print(f"nas: {error}", file=sys.stderr)
        sys.exit(REFUSED)
    except (OSError, RuntimeError) as error:
        _trace_of_user(error)
        print(f"nas: {error}", file=sys.stderr)
        # A name that no file can have was refused, not a file that could not be read.
        named = isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG
        sys.exit(REFUSED if named else STOPPED)


def _trace_of_user(error: Exception) -> None:
    """Prints the traceback of an error that the user's own code raised."""
    from nas.cli.user_errors import is_of_user

    if is_of_user(error):
        traceback.print_exception(error)
