"""The command line: run an experiment, show what a run has found."""

import argparse
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from nas.record import RunDirectoryError

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
                                               a latency table of this host, for the operations of a search"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs one command; the program ends with 0 done, 1 stopped, 2 refused, 130 or 143 by a signal."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    command, rest = (given[0], given[1:]) if given else ("", [])
    with _ended_by_signals(), _told_in_one_line():
        if command == "run" and rest and not rest[0].startswith("-"):
            from nas.options import load_function  # here, because `show` must not wait for torch

            run_function(load_function(rest[0]), rest[1:], f"nas run {rest[0]}")
        elif command in COMMANDS:
            COMMANDS[command](rest)
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
    parser = _parser("show", "What a run has found.")
    parser.add_argument("directory", type=Path, help="a run directory")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of tables")
    parser.add_argument(
        "--sensitivity",
        metavar="FILE.py[:FUNCTION]",
        help="the experiment, whose options follow: the accuracy of the best at other bits in each layer",
    )
    options, experiment = _with_experiment(parser, arguments, "sensitivity")
    from rich.console import Console

    from nas.show import layers_of_best, print_json, print_table

    layers = None if experiment is None else layers_of_best(options.directory, experiment)
    if options.json:
        print_json(options.directory, layers)
    else:
        print_table(options.directory, Console(), layers)


def _export(arguments: Sequence[str]) -> None:
    parser = _parser("export", "A trained candidate of a run as a file to ship.")
    parser.add_argument("directory", type=Path, help="a run directory")
    parser.add_argument("--id", default="best", help="the number of a candidate, or best")
    told_formats = "the packed file, the same program as ONNX, or weights as safetensors"
    parser.add_argument("--to", choices=("packed", "onnx", "torch"), default="packed", help=told_formats)
    parser.add_argument("--out", type=Path, required=True, help="the file to write")
    parser.add_argument(
        "--retrain", metavar="FILE.py[:FUNCTION]", help="the experiment by which to train it anew; options of it follow"
    )
    options, experiment = _with_experiment(parser, arguments, "retrain")
    from nas.export import export
    from nas.show import told

    evaluation = export(options.directory, options.id, options.to, options.out, experiment)
    print(f"{options.out}: candidate {evaluation.id}, {told(evaluation.metrics)}")


def _score(arguments: Sequence[str]) -> None:
    parser = _parser("score", "The length of a packed file, and its accuracy on test data.")
    parser.add_argument("file", type=Path, help="a packed file")
    parser.add_argument("--data", default="digits", help="digits, a folder of IDX files, of CIFAR-10 or of images, or an .npz")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of text")
    options = parser.parse_args(arguments)
    from nas.export import scored

    found = scored(options.file, options.data)
    text = f"{options.file}: {found['bytes']} bytes, accuracy {found['accuracy']:.4f} on {found['samples']} samples"
    print(json.dumps(found) if options.json else text)


def _ledger(arguments: Sequence[str]) -> None:
    parser = _parser("ledger", "What each byte of a packed file is for.")
    parser.add_argument("file", type=Path, help="a packed file")
    parser.add_argument("--json", action="store_true", help="rows of layer, purpose and bytes as JSON")
    options = parser.parse_args(arguments)
    from nas.artifact import ledger

    rows = [asdict(entry) for entry in ledger(options.file.read_bytes())]
    if options.json:
        print(json.dumps(rows))
        return
    for row in rows:
        print(f"{row['bytes']:>9}  {row['layer'] or 'file':<16} {row['purpose']}")
    print(f"{sum(row['bytes'] for row in rows):>9}  in all")


def _profile(arguments: Sequence[str]) -> None:
    parser = _parser("profile", "A latency table of this host; options of the experiment follow.")
    parser.add_argument("experiment", metavar="FILE.py[:FUNCTION]", help="the experiment whose space is sampled")
    parser.add_argument("--table", type=Path, required=True, help="the file to write")
    parser.add_argument("--designs", type=int, default=50, help="how many random designs have their operations timed")
    options, rest = parser.parse_known_args(arguments)
    from nas.measure.table import write
    from nas.options import load_function, parse
    from nas.profile import profiled

    experiment, _ = parse(load_function(options.experiment), rest, f"nas profile {options.experiment}")
    table = profiled(experiment, options.designs)
    write(table, options.table)
    print(f"{options.table}: {len(table.seconds)} operations of {options.designs} designs on {table.host}")


def _with_experiment(
    parser: argparse.ArgumentParser, arguments: Sequence[str], option: str
) -> "tuple[argparse.Namespace, Experiment | None]":
    """The options of a command, and the experiment that one of them names, whose own options follow it."""
    options, rest = parser.parse_known_args(arguments)
    named = getattr(options, option)
    if named is None:
        if rest:
            parser.error(f"there is no option {rest[0]}; options of an experiment need --{option}")
        return options, None
    from nas.options import load_function, parse

    return options, parse(load_function(named), rest, f"{parser.prog} --{option} {named}")[0]


def _parser(command: str, description: str) -> argparse.ArgumentParser:
    return argparse.ArgumentParser(prog=f"nas {command}", description=description, allow_abbrev=False)


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
        print(f"nas: {error}", file=sys.stderr)
        sys.exit(STOPPED)


COMMANDS = {"show": _show, "export": _export, "score": _score, "ledger": _ledger, "profile": _profile}

if __name__ == "__main__":
    main()
