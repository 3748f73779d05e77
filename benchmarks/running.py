"""What running a search takes besides the training of its candidates: `python -m benchmarks.running`.

Processor time of this process, except where it waits for others.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

from benchmarks.baselines import BASELINES
from benchmarks.gpu import candidates_per_hour, experiment
from experiments.digits import DEFAULTS, digits
from nas.evaluation import candidate_training
from nas.executors import Executor, Handler, InProcess, LocalProcesses
from nas.objective import Curve, Epoch, Evaluation, Status
from nas.runs.journal import JOURNAL_NAME, open_journal
from nas.runs.journal_format import encode_line, evaluation_to_json, header_of
from nas.strategy import Proposal
from nas.threads import one_thread
from nas.training.fit import cross_entropy, fit

DESCRIBED = {"seed": 0, "window": 4}


def answered(request: bytes) -> tuple[bytes, bool]:
    """The request, as its answer."""
    return request, True


def echo() -> Handler:
    """A `Setup` of workers that answer at once."""
    return answered


def per_request(executor: Executor, requests: int) -> tuple[float, float]:
    """The seconds until the first of some requests of 10 kB is answered, and of each after it."""
    content = bytes(10_000)
    with executor.open(echo) as workers:
        start = time.perf_counter()
        workers.submit(content, lambda: 60.0).result()
        first = time.perf_counter()
        for _ in range(requests):
            workers.submit(content, lambda: 60.0).result()
        return first - start, (time.perf_counter() - first) / requests


def besides_training(samples: int) -> tuple[float, float]:
    """The seconds of a candidate, `6kB` of baselines.py, and those outside of `fit`."""
    searched = experiment(None, "cpu", samples)
    evaluator, within = searched.evaluator(cross_entropy), 0.0
    genotype = searched.space.choices.encode(BASELINES["6kB"].design)

    def timed(*given: Any, **named: Any) -> Curve:
        nonlocal within
        start = time.process_time()
        curve = fit(*given, **named)
        within += time.process_time() - start
        return curve

    # What a process needs once is no part of it.
    evaluator(0, Proposal(genotype, 1))
    with patch.object(candidate_training, "fit", timed):
        start = time.process_time()
        evaluator(1, Proposal(genotype))
        total = time.process_time() - start
    return total, total - within


def write_records(out: Path, count: int) -> int:
    """Writes a journal of so many made-up trials, and returns its bytes."""
    line = evaluation_to_json(
        Evaluation(
            id=0,
            genotype=(1,) * 40,
            design={f"stage{number}.width": 8 for number in range(40)},
            status=Status.OK,
            reason="",
            metrics=dict.fromkeys(("accuracy", "size_bytes", "macs", "params"), 0.5),
            seconds=10.0,
            history=(Epoch(1.0, 0.5),) * 10,
            finished=1e9,
        )
    )
    path = out / JOURNAL_NAME
    with path.open("wb") as file:
        file.write(encode_line(header_of(DESCRIBED)))
        file.writelines(encode_line(line | {"id": id}) for id in range(count))
    return path.stat().st_size


def opened(out: Path) -> None:
    """Opens the journal in `out`, and prints the seconds and the megabytes that it took."""
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    with open_journal(out, DESCRIBED) as journal:
        seconds = time.process_time() - start
        used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        print(f"{len(journal.evaluations):,} | {seconds:.1f} | {used / 1024:.0f}")


def _table(*columns: str) -> None:
    print(f"\n| {' | '.join(columns)} |\n{'|---' * len(columns)}|", flush=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints tables as Markdown."""
    parser = argparse.ArgumentParser("python -m benchmarks.running", description=__doc__)
    parser.add_argument("--requests", type=int, default=500)
    parser.add_argument("--samples", type=int, default=2_000, help="training images of a candidate")
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=30.0, help="of each search")
    parser.add_argument(
        "--data", type=Path, help="Fashion-MNIST's files, instead of made-up images"
    )
    parser.add_argument("--opened", type=Path, help="only open this run's journal")
    given = parser.parse_args(arguments)
    if given.opened:
        opened(given.opened)
        return

    _table("executor", "first answer, s", "each after it, ms")
    executors: tuple[Executor, ...] = (InProcess(), LocalProcesses(1))
    for executor in executors:
        first, each = per_request(executor, given.requests)
        print(f"| {type(executor).__name__} | {first:.2f} | {1e3 * each:.2f} |", flush=True)

    _table("candidate, s", "besides training, s", "share")
    total, besides = besides_training(given.samples)
    print(f"| {total:.1f} | {besides:.2f} | {besides / total:.1%} |", flush=True)

    _table("records", "bytes", "opened: records", "s", "MB")
    with tempfile.TemporaryDirectory() as folder:
        size = write_records(Path(folder), given.records)
        # Of a process of its own, because memory is that of its maximum.
        command = [sys.executable, "-m", "benchmarks.running", "--opened", folder]
        read = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
        print(f"| {given.records:,} | {size:,} | {read} |", flush=True)

    _table("workers", "candidates an hour", "of 1 worker", "counted")
    one = 0.0
    for workers in (1, 2):
        source = partial(digits, replace(DEFAULTS, trials=1000, epochs=2, finetune_epochs=1))
        speed, count = candidates_per_hour(source, workers, given.seconds)
        one = one or speed
        print(f"| {workers} | {speed:,.0f} | {speed / one:.2f} | {count} |", flush=True)


if __name__ == "__main__":
    with one_thread():
        main()
